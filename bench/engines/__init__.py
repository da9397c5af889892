"""The same texts, the same threads, every engine in its own process: `python -m bench.engines --help`."""
