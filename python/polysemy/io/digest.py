"""SHA-256 of a file, computed in the background while the rest of a checkpoint loads."""

from __future__ import annotations

import hashlib
from pathlib import Path
from threading import Thread

from ..errors import CheckpointError

__all__ = ["BackgroundDigest"]

# hashlib drops the GIL for large blocks; 1 MiB still fits the second-level cache.
_BLOCK = 1 << 20


class BackgroundDigest:
    """Starts hashing at once; `verify` waits for the result and compares it."""

    def __init__(self, path: Path, expected: str) -> None:
        self._path = path
        self._expected = expected
        self._found = ""
        self._error: OSError | None = None
        self._thread = Thread(target=self._run, name="polysemy-sha256", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        digest = hashlib.sha256()
        block = memoryview(bytearray(_BLOCK))
        try:
            with self._path.open("rb", buffering=0) as file:
                while count := file.readinto(block):
                    digest.update(block[:count])
        except OSError as error:
            self._error = error
        self._found = digest.hexdigest()

    def verify(self) -> str:
        """The hexadecimal digest. Raises ``CheckpointError`` when it is not the expected one."""
        self._thread.join()
        if self._error is not None:
            raise CheckpointError(f"{self._path} can't be read: {self._error}") from self._error
        if self._found != self._expected:
            raise CheckpointError(
                f"{self._path} is not the published file: its sha256 must be {self._expected}, "
                f"got {self._found}"
            )
        return self._found
