"""Where the configuration tree and the embedded data set lie, in a checkout and in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_REPOSITORY = _PACKAGE.parents[1]


def conf_dir() -> Path:
    """The ``conf/`` tree: inside the package of an installed wheel, at the top of a checkout otherwise."""
    packaged = _PACKAGE / "conf"
    return packaged if packaged.is_dir() else _REPOSITORY / "conf"


def embedded_dir() -> Path:
    """The folder of the data set that ships with the package."""
    packaged = _PACKAGE / "embedded" / "world_flags"
    return packaged if packaged.is_dir() else _REPOSITORY / "data" / "world_flags"
