"""Long trials of what must never happen, each a command: ``python -m campaigns.forks 100000`` in ``tests``."""
