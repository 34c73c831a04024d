"""Writing the data set to its folder."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save

from dhns.files import sha256

from .flags import THUMBNAIL, save_thumbnail
from .graph import Graph
from .sources import PINNED


def write_text(path: Path, text: str) -> None:
    """A text file with the same bytes on every system."""
    path.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """A readable JSON file."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_graph(graph: Graph, texts: list[str], out: Path) -> None:
    """The OpenKE files, the labels and the table of entities."""
    ids = {e.key: i for i, e in enumerate(graph.entities)}
    relation_ids = {r: i for i, r in enumerate(graph.relations)}
    for stem, keys in (("entity2id", ids), ("relation2id", relation_ids)):
        _write_lines(out / f"{stem}.txt", [str(len(keys)), *(f"{key}\t{i}" for key, i in keys.items())])
    for name, triples in graph.splits.items():
        rows = (f"{ids[h]} {ids[t]} {relation_ids[r]}" for h, r, t in triples)
        _write_lines(out / f"{name}2id.txt", [str(len(triples)), *rows])
    labels = [f"{i}\t{e.label}" for i, e in enumerate(graph.entities)]
    _write_lines(out / "entity_labels.tsv", ["id\tlabel", *labels])
    labels = [f"{i}\t{r.replace('_', ' ')}" for i, r in enumerate(graph.relations)]
    _write_lines(out / "relation_labels.tsv", ["id\tlabel", *labels])
    table = [f"{i}\t{e.key}\t{e.label}\t{e.kind}\t{texts[i]}" for i, e in enumerate(graph.entities)]
    _write_lines(out / "entities.tsv", ["id\tkey\tlabel\tkind\ttext", *table])


def _write_lines(path: Path, lines: list[str]) -> None:
    write_text(path, "\n".join(lines) + "\n")


def write_features(stem: str, tensors: dict[str, torch.Tensor], made_by: dict[str, Any], out: Path) -> None:
    """Features with a description beside them."""
    path = out / f"{stem}.safetensors"
    path.write_bytes(save(tensors))
    features = tensors["features"]
    described = {"shape": list(features.shape), "dtype": str(features.dtype).removeprefix("torch.")}
    if "index" in tensors:
        described["index"] = "tensor index: the entity id of each row, ascending; other entities have no image"
    write_json(out / f"{stem}.json", {**made_by, **described, "sha256": sha256(path)})


def write_flags(flags: dict[str, Image.Image], folder: Path) -> None:
    """The pictures that are encoded, named by entity key: what ``dhns features images=...`` takes."""
    for key, flag in flags.items():
        path = folder / f"{key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        flag.save(path)


def write_thumbnails(flags: dict[int, Image.Image], out: Path) -> None:
    """One picture for each entity with a flag, named by entity id."""
    folder = out / "thumbnails"
    folder.mkdir(exist_ok=True)
    for stale in folder.glob("*.png"):
        stale.unlink()
    for entity, flag in flags.items():
        save_thumbnail(flag.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS), folder / f"{entity}.png")


def write_facts(graph: Graph, images: int, out: Path) -> dict[str, Any]:
    """Counts and checksums of what was written."""
    files = sorted(p for p in out.iterdir() if p.suffix in (".txt", ".tsv", ".safetensors") or _describes_features(p))
    thumbnails = sorted((out / "thumbnails").glob("*.png"), key=lambda p: int(p.stem))
    triples = [triple for rows in graph.splits.values() for triple in rows]
    facts = {
        "name": "World & Flags",
        "entities": len(graph.entities),
        "relations": len(graph.relations),
        "triples": {name: len(rows) for name, rows in graph.splits.items()},
        "images": images,
        "texts": {"label": len(graph.entities), "label_and_gloss": sum(bool(e.gloss) for e in graph.entities)},
        "entities_by_kind": dict(Counter(e.kind for e in graph.entities).most_common()),
        "triples_by_relation": dict(Counter(r.replace("_", " ") for _, r, _ in triples).most_common()),
        "sources": PINNED,
        "sha256": {p.name: sha256(p) for p in files},
        "thumbnails_sha256": hashlib.sha256("".join(map(sha256, thumbnails)).encode()).hexdigest(),
    }
    write_json(out / "facts.json", facts)
    return facts


def _describes_features(path: Path) -> bool:
    return path.suffix == ".json" and path.with_suffix(".safetensors").is_file()
