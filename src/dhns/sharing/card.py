"""The card of a shared model: what it is, what it measured and on what, how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from dhns.console import markdown_table
from dhns.graph.knowledge_graph import KnowledgeGraph

FILE_NAME = "README.md"
BEGINNING = "---\nlibrary_name: dhns\n"
"""Of every card, by which a folder is known that may be written again."""
_METRICS = {"mrr": "MRR", "hits@1": "Hits@1", "hits@3": "Hits@3", "hits@10": "Hits@10"}
_SHOWN = 12  # digits of a fingerprint


def card(
    result: Mapping[str, Any], graph: KnowledgeGraph, licence: str | None, with_features: bool, address: str
) -> str:
    """Markdown behind a block of YAML, as the Hugging Face hub reads it.

    Args:
        result: of the run.
        graph: that it was trained on.
        licence: of weights and data; None if nobody said.
        with_features: whether they lie beside the card.
        address: that `dhns.load` takes.
    """
    splits = [split for split in ("valid", "test") if split in result["metrics"]]
    rows = [[split, *(f"{100 * result['metrics'][split][name]:.2f}" for name in _METRICS)] for split in splits]
    names = ", ".join(graph.modalities) or ", ".join(graph.absent) or "none"
    features = names if with_features or names == "none" else f"{names}; their files are not included"
    prints = result.get("fingerprints") or {}
    facts = [
        ["data set", graph.name],
        ["entities, relations", f"{graph.num_entities:,}, {graph.num_relations:,}"],
        ["triples: train, valid, test", ", ".join(f"{len(graph.split(s)):,}" for s in ("train", "valid", "test"))],
        ["features", features],
        ["protocol", f"{result['protocol']['name']}; filtered ranks of all entities, both sides, ties in the middle"],
        ["seed", str(result["seed"])],
        ["versions", ", ".join(f"{name} {version}" for name, version in result["versions"].items())],
    ]
    said = f"Licence: {licence}." if licence else "No licence was stated: ask before you use weights or data."
    return "\n".join(
        [
            "---",
            yaml.safe_dump(_front(result, graph, licence), sort_keys=False, allow_unicode=True).rstrip(),
            "---",
            "",
            f"# {_plain(result['system'])} on {_plain(graph.name)}",
            "",
            "Predicts missing facts of a knowledge graph: of a head or a tail and a relation it ranks all entities.",
            "",
            markdown_table(["split", *(f"{label}, %" for label in _METRICS.values())], rows),
            "",
            "    import dhns",
            f'    model = dhns.load("{address}")     # or the path of this folder',
            '    model.predict(head="...", relation="...", k=5)',
            "",
            markdown_table(["", ""], facts),
            "",
            markdown_table(["part", "SHA-256"], [[part, str(value)[:_SHOWN]] for part, value in prints.items()]),
            "",
            "`result.json` has all settings. Nothing in this folder runs code; weights are safetensors.",
            said,
            "",
        ]
    )


def _front(result: Mapping[str, Any], graph: KnowledgeGraph, licence: str | None) -> dict[str, Any]:
    metrics = result["metrics"].get("test") or result["metrics"].get("valid") or {}
    measured = [{"type": name, "name": label, "value": metrics[name]} for name, label in _METRICS.items()]
    about = {"task": {"type": "link-prediction"}, "dataset": {"name": graph.name, "type": graph.name}}
    return {
        "library_name": "dhns",
        "tags": ["knowledge-graph-completion", "link-prediction", "multimodal", str(result["system"])],
        **({"license": licence} if licence else {}),
        "model-index": [{"name": str(result["system"]), "results": [{**about, "metrics": measured}]}],
    }


def _plain(text: str) -> str:
    """A name within a line of Markdown."""
    return " ".join(str(text).split()).replace("<", "&lt;").replace("[", "\\[")
