"""Names that become part of a path: of data sets, systems and files."""

from __future__ import annotations

import re
from pathlib import Path

from dhns.errors import InputError

_LONGEST = 200  # bytes; file systems take 255, and suffixes are added


def plain_name(name: str) -> str:
    """``name``, if it can stand as one part of a path and lead nowhere else.

    Raises:
        InputError: it is empty, too long or hidden, or holds a slash, a backslash or a character that does not print.
    """
    if not name or name.startswith(".") or not name.isprintable() or set(name) & set("/\\"):
        raise InputError(
            f"{name!r} cannot name a file or folder: it may not be empty, start with a dot, or hold slashes, "
            "backslashes or characters that do not print"
        )
    if len(name.encode()) > _LONGEST:
        raise InputError(f"'{name[:40]}...' cannot name a file or folder: it is longer than {_LONGEST} bytes")
    return name


def base_name(path: str) -> str:
    """What to call the data in a folder or a file: its own name, less what tells the format or hides it."""
    name = Path(path).expanduser().resolve().name
    return re.sub(r"(\.(tsv|txt|csv))?(\.gz)?$", "", name).lstrip(".") or "graph"
