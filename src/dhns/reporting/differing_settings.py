"""The settings in which systems differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dhns.reporting.tables import PageTable, of_rows

Row = Sequence[str | None]
"""Of a setting, what each system has; None where it has none."""


def differing_settings(found: Mapping[str, Mapping[str, str]]) -> PageTable | None:
    """A row per setting that is not the same in all; None where there is none.

    An object that only some systems have is named, and of its settings those in which these differ.

    Args:
        found: by the letter of a system, its settings by dotted key.
    """
    names = sorted({name for settings in found.values() for name in settings})
    rows: dict[str, Row] = {name: [settings.get(name) for settings in found.values()] for name in names}
    differing = {name: row for name, row in rows.items() if len(set(row)) > 1}
    shown = [(name, *(cell or "" for cell in row)) for name, row in differing.items() if not _follows(name, differing)]
    if not shown:
        return None
    return of_rows("Settings that are not the same in all", ["setting", *found], shown, numeric=False)


def _follows(name: str, differing: Mapping[str, Row]) -> bool:
    """Whether a setting goes without saying: of an object that only some systems have, which all have it alike."""
    own, parts = differing[name], name.split(".")
    having = [place for place, cell in enumerate(own) if cell is not None]
    if len(having) == len(own) or len({own[place] for place in having}) > 1:
        return False
    objects = [differing.get(".".join(parts[:length])) for length in range(1, len(parts))]
    return any(row is not None and all(row[place] is not None for place in having) for row in objects)
