"""Packages that need not be there, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from dhns.errors import InputError


def optional(module: str, what: str, extra: str | None = None, package: str | None = None) -> Any:
    """A module of an optional package.

    Args:
        module: its name.
        what: needs it, for the message.
        extra: of this project, which brings the package; None if none does.
        package: as it is installed, where that is not the first part of the module's name.

    Raises:
        InputError: it cannot be imported; the message says what needs it, and the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = package or module.partition(".")[0]
        install = f"'dhns[{extra}]'" if extra else package
        raise InputError(f"{what} needs {package}: pip install {install} brings it ({error})") from error
