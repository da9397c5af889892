"""``python -m polysemy``: the build, this machine, this process; with arguments, the `polysemy` command."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    # Without arguments this is the page that goes into a bug report.
    sys.exit(main(sys.argv[1:] or ["info", "--no-model"], prog="python -m polysemy"))
