"""Multimodal knowledge graph completion with diffusion-generated negatives.

In Python::

    import dhns

    model = dhns.load("outputs/demo/dhns")
    model.predict(head="Bolivia", relation="shares border with", k=3)

These names are imported when they are first used, so that a command that needs no torch does not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["InputError", "KnowledgeGraph", "__version__", "blend", "calibrate", "load", "load_graph", "report", "train"]

if TYPE_CHECKING:
    from dhns.api import blend, calibrate, load, load_graph, report, train
    from dhns.errors import InputError
    from dhns.graph.knowledge_graph import KnowledgeGraph

_HOMES = {
    "InputError": "dhns.errors",
    "KnowledgeGraph": "dhns.graph.knowledge_graph",
    "blend": "dhns.api",
    "calibrate": "dhns.api",
    "load": "dhns.api",
    "load_graph": "dhns.api",
    "report": "dhns.api",
    "train": "dhns.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dhns' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
