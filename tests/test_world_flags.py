"""The embedded data set as it lies on disk, read without the library."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dhns.resources import embedded_dir

FOLDER = embedded_dir()
SPLITS = ("train", "valid", "test")


def read_facts() -> dict:
    return json.loads((FOLDER / "facts.json").read_text(encoding="utf-8"))


def read_rows(name: str) -> list[list[str]]:
    """Rows of an OpenKE file, after checking the count on top of it."""
    count, *lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == int(count)
    return [line.split() for line in lines]


def read_triples(split: str) -> list[tuple[int, int, int]]:
    """Triples as (head, tail, relation) ids, the order of the files."""
    return [(int(h), int(t), int(r)) for h, t, r in read_rows(f"{split}2id")]


def read_table(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_counts_are_as_recorded():
    facts = read_facts()
    triples = {split: read_triples(split) for split in SPLITS}
    assert (len(read_rows("entity2id")), len(read_rows("relation2id"))) == (1119, 17)
    assert {split: len(rows) for split, rows in triples.items()} == {"train": 4055, "valid": 506, "test": 506}
    assert facts["triples"] == {split: len(rows) for split, rows in triples.items()}
    assert facts["entities"] == len(read_rows("entity2id"))
    assert facts["relations"] == len(read_rows("relation2id"))
    assert facts["entities_by_kind"] == Counter(row["kind"] for row in read_table("entities.tsv"))
    labels = [row["label"] for row in read_table("relation_labels.tsv")]
    relations = Counter(labels[r] for rows in triples.values() for _, _, r in rows)
    assert facts["triples_by_relation"] == relations


def test_files_have_the_recorded_checksums():
    facts = read_facts()
    assert facts["sha256"] == {name: sha256(FOLDER / name) for name in facts["sha256"]}
    assert {f"{split}2id.txt" for split in SPLITS} < facts["sha256"].keys()
    thumbnails = sorted((FOLDER / "thumbnails").glob("*.png"), key=lambda path: int(path.stem))
    together = "".join(map(sha256, thumbnails)).encode()
    assert hashlib.sha256(together).hexdigest() == facts["thumbnails_sha256"]


@pytest.mark.parametrize("stem", ["entity", "relation"])
def test_ids_are_contiguous_and_names_unique(stem):
    rows = read_rows(f"{stem}2id")
    assert [int(i) for _, i in rows] == list(range(len(rows)))
    assert len({key for key, _ in rows}) == len(rows)
    labels = read_table(f"{stem}_labels.tsv")
    assert [int(row["id"]) for row in labels] == list(range(len(rows)))
    assert len({row["label"] for row in labels}) == len(rows)


def test_table_of_entities_agrees_with_the_other_files():
    table = read_table("entities.tsv")
    assert [[row["key"], row["id"]] for row in table] == read_rows("entity2id")
    assert [row["label"] for row in table] == [row["label"] for row in read_table("entity_labels.tsv")]
    assert all(row["text"].startswith(row["label"]) for row in table)
    assert all(row["key"].split("/")[0] == row["kind"].replace(" ", "_") for row in table)
    assert sum(row["text"] != row["label"] for row in table) == read_facts()["texts"]["label_and_gloss"]


def test_no_pair_of_entities_is_in_two_splits():
    pairs = {split: {frozenset((h, t)) for h, t, _ in read_triples(split)} for split in SPLITS}
    assert not pairs["train"] & pairs["valid"]
    assert not pairs["train"] & pairs["test"]
    assert not pairs["valid"] & pairs["test"]


def test_triples_are_distinct_in_range_and_without_loops():
    triples = [triple for split in SPLITS for triple in read_triples(split)]
    assert len(set(triples)) == len(triples)
    assert all(h != t for h, t, _ in triples)
    assert {e for h, t, _ in triples for e in (h, t)} == set(range(read_facts()["entities"]))


@pytest.mark.parametrize("split", ["valid", "test"])
def test_whatever_is_held_out_occurs_in_train(split):
    train, held_out = read_triples("train"), read_triples(split)
    assert {e for h, t, _ in held_out for e in (h, t)} <= {e for h, t, _ in train for e in (h, t)}
    assert {r for _, _, r in held_out} <= {r for _, _, r in train}


def test_textual_features_cover_every_entity():
    features = load_file(FOLDER / "textual.safetensors")["features"]
    assert features.shape == (read_facts()["entities"], 384)
    assert features.dtype == torch.float16
    assert features.isfinite().all()
    norms = features.float().norm(dim=1)
    assert torch.allclose(norms, torch.ones_like(norms), atol=1e-2)


def test_visual_features_cover_the_entities_with_a_flag():
    tensors = load_file(FOLDER / "visual.safetensors")
    features, index = tensors["features"], tensors["index"]
    assert features.shape == (read_facts()["images"], 1280) == (353, 1280)
    assert features.dtype == torch.float16
    assert features.isfinite().all()
    assert (features.float().norm(dim=1) > 0).all()
    assert index.dtype == torch.int64
    assert (index.diff() > 0).all()
    assert 0 <= index[0] <= index[-1] < read_facts()["entities"]
    kinds = [row["kind"] for row in read_table("entities.tsv")]
    assert {kinds[i] for i in index} == {"country", "subdivision", "union"}
    assert index.tolist() == sorted(int(path.stem) for path in (FOLDER / "thumbnails").glob("*.png"))


@pytest.mark.parametrize("stem", ["textual", "visual"])
def test_features_are_described(stem):
    described = json.loads((FOLDER / f"{stem}.json").read_text(encoding="utf-8"))
    assert described["sha256"] == sha256(FOLDER / f"{stem}.safetensors")
    assert described["shape"] == list(load_file(FOLDER / f"{stem}.safetensors")["features"].shape)
    assert {"encoder", "weights_package", "weights_sha256", "run_with", "input"} <= described.keys()


def test_every_source_has_its_notice():
    notices = (FOLDER / "LICENSES.md").read_text(encoding="utf-8")
    for phrase in (
        "UNICODE LICENSE V3",
        "## countries-list",
        "## circle-flags",
        "Princeton University",
        "Natural Earth",
        "all-MiniLM-L6-v2",
        "EfficientNet-Lite0",
    ):
        assert phrase in notices


GOLDEN = [
    ("Norway", "shares border with", "Sweden"),
    ("Sweden", "shares border with", "Norway"),
    ("Congo - Kinshasa", "shares border with", "Angola"),
    ("Japan", "capital", "Tokyo"),
    ("Russia", "capital", "Moscow"),
    ("Japan", "located in", "Eastern Asia"),
    ("Western Europe", "part of", "Europe"),
    ("Texas", "subdivision of", "United States"),
    ("France", "member of", "European Union"),
    ("Brazil", "official language", "Portuguese"),
    ("Spain", "regional language", "Catalan"),
    ("Germany", "spoken language", "Turkish"),
    ("Russian", "written in", "Cyrillic script"),
    ("Swedish", "language family", "Scandinavian languages"),
    ("Germanic languages", "branch of", "Indo-European languages"),
    ("Germany", "currency", "Euro"),
    ("France", "former currency", "French Franc"),
    ("Germany", "time zone", "Europe Central Time"),
    ("Norway", "flag colour", "red"),
    ("Oslo", "instance of", "national capital"),
]


def test_golden_facts():
    entities = [row["label"] for row in read_table("entity_labels.tsv")]
    relations = [row["label"] for row in read_table("relation_labels.tsv")]
    known = {(entities[h], relations[r], entities[t]) for split in SPLITS for h, t, r in read_triples(split)}
    assert [fact for fact in GOLDEN if fact not in known] == []
    assert {relation for _, relation, _ in GOLDEN} == set(relations)
