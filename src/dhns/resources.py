"""Where configurations lie, ours and those of a user, and the embedded data set; in a checkout and in a wheel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dhns.errors import InputError

OWN_CONF = "DHNS_CONFIG_DIR"
"""Environment variable with a user's own folder of configurations; the processes that a run starts know it too."""

_PACKAGE = Path(__file__).resolve().parent
_REPOSITORY = _PACKAGE.parents[1]


def conf_dir() -> Path:
    """The ``conf/`` tree: inside the package of an installed wheel, at the top of a checkout otherwise."""
    packaged = _PACKAGE / "conf"
    return packaged if packaged.is_dir() else _REPOSITORY / "conf"


def conf_dirs() -> tuple[Path, ...]:
    """`conf_dir`, and behind it the user's own folder of groups, if there is one."""
    own = os.environ.get(OWN_CONF)
    return (conf_dir(), Path(own)) if own else (conf_dir(),)


def conf_files(group: str) -> list[Path]:
    """The files of a group, ours and the user's, by name."""
    files = (path for folder in conf_dirs() for path in (folder / group).glob("*.yaml"))
    return sorted(files, key=lambda path: path.stem)


def conf_file(group: str, name: str) -> Path | None:
    """One of them; None if there is none of that name."""
    return next((path for path in conf_files(group) if path.stem == name), None)


def choose_own_conf(folder: str | Path) -> None:
    """Have everything from here on, and the processes that it starts, look into a user's own folder too.

    Raises:
        InputError: there is no such folder, or a file in it has the name of one of ours, which would be read instead.
    """
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise InputError(f"--config-dir names no folder: {path}; give one that holds files such as scorer/mine.yaml")
    for file in sorted(conf_dir().rglob("*.yaml")):
        if (path / (name := file.relative_to(conf_dir()))).is_file():
            raise InputError(f"{path / name} has the name of a file of dhns, which is read in its place; rename it")
    os.environ[OWN_CONF] = str(path)


@contextmanager
def own_conf(folder: str | Path | None) -> Iterator[None]:
    """`choose_own_conf` for a while; none at all where it is None."""
    before = os.environ.get(OWN_CONF)
    try:
        if folder is not None:
            choose_own_conf(folder)
        yield
    finally:
        os.environ.pop(OWN_CONF, None)
        if before is not None:
            os.environ[OWN_CONF] = before


def embedded_dir() -> Path:
    """The folder of the data set that ships with the package."""
    packaged = _PACKAGE / "embedded" / "world_flags"
    return packaged if packaged.is_dir() else _REPOSITORY / "data" / "world_flags"
