"""Tables of files for people."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from dhns.sources.source import Check

_SHORT = 12  # digits of a SHA-256


def checks_table(heading: str, checks: Iterable[Check]) -> Table:
    """Each file as it should be and as it is."""
    table = Table(title=heading)
    for column in ("file", "expected bytes", "SHA-256", "found bytes", "SHA-256", ""):
        table.add_column(column, justify="right" if "bytes" in column else "left")
    for check in checks:
        status = "missing (optional)" if check.status == "missing" and check.file.optional else check.status
        found = _shown(*check.found) if check.found else ("", "")
        table.add_row(check.file.name, *_shown(check.file.bytes, check.file.sha256), *found, status)
    return table


def _shown(size: int, digest: str) -> tuple[str, str]:
    return f"{size:,}", digest[:_SHORT]
