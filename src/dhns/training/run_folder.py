"""A run's folder belongs to one process at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor

from dhns.errors import InputError
from dhns.files import LOCK, remove_partial_files

log = logging.getLogger(__name__)


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Hold a run's folder, and clear it of what a killed process left half-written.

    The lock ends with the process, however that ends.

    Raises:
        InputError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as file:
        try:
            free = lock_descriptor(file.fileno(), blocking=False)
        except OSError as error:  # some network file systems have no locks
            log.warning("%s cannot be locked (%s); start no second run of the same settings", folder, error.strerror)
            free = True
        if not free:
            raise InputError(f"another process is training in {folder}; wait for its end, or choose another run_dir")
        remove_partial_files(folder)
        yield
