"""Packages of the extra ``exchange``, imported where they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from dhns.errors import InputError


def needed(module: str, what: str) -> Any:
    """A module of the extra.

    Raises:
        InputError: it is not installed; the message says what needs it, and the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(f"{what} needs {module.partition('.')[0]}: pip install 'dhns[exchange]'") from None
