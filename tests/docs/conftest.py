"""What the tests of the documentation share."""

from __future__ import annotations

import sys
from pathlib import Path

# The helpers lie beside the tests, whatever the import mode pytest runs in.
sys.path.insert(0, str(Path(__file__).parent))
