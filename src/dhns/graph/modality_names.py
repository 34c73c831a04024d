"""What a modality may be called."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from dhns.errors import InputError

STRUCTURE = "structure"
"""Name of the view that is learned from triples alone; every encoder has it, modalities are the other views."""
_SEPARATORS = frozenset("./\\\0")


def require_modality_names(names: Iterable[str]) -> None:
    """Refuse names under which a model cannot keep features, or a folder no file of them.

    Raises:
        InputError: a name is empty, that of the structural view, holds a dot or a slash, or is one that torch keeps for
            the containers of its modules.
    """
    container = nn.ModuleDict()
    for name in names:
        if name in ("", STRUCTURE) or not _fits(name, container):
            raise InputError(
                f"'{name}' cannot be the name of a modality (nor can '{STRUCTURE}', which is the view of triples, one "
                "with a dot or a slash, or one that torch keeps, such as 'keys'); call it otherwise, such as 'visual'"
            )


def _fits(name: object, container: nn.Module) -> bool:
    return isinstance(name, str) and not _SEPARATORS & set(name) and not hasattr(container, name)
