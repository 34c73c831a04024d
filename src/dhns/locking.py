"""A file that one process at a time works with."""

from __future__ import annotations

import sys
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt
    import os

    def lock(file: IO[Any] | int, wait: bool = False) -> bool:
        """As elsewhere, but for processes that inherit the file."""
        descriptor = file if isinstance(file, int) else file.fileno()
        at = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, 2**30, os.SEEK_SET)  # what is locked cannot be read either, and nothing lies so far
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, at, os.SEEK_SET)
        return True

else:
    import fcntl

    def lock(file: IO[Any] | int, wait: bool = False) -> bool:
        """Lock an open file or folder until it is closed here and in all processes that inherit it.

        Args:
            file: or its descriptor.
            wait: until no other process has locked it.

        Returns:
            Whether it is ours; another process has it where not.

        Raises:
            OSError: the file system has no locks.
        """
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
