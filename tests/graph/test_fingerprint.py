import hashlib
from dataclasses import replace

import torch

from dhns.graph.fingerprint import fingerprint
from dhns.graph.knowledge_graph import Modality, Vocabulary


def changed(one, other):
    return {key for key in one | other if one.get(key) != other.get(key)}


def test_keys_and_values(toy_graph):
    prints = fingerprint(toy_graph)
    modalities = {"modality/visual", "modality/textual"}
    assert set(prints) == {"train", "valid", "test", "filter_only", "entities", "relations"} | modalities
    header = f"torch.int64 {tuple(toy_graph.test.shape)}\n".encode()
    assert prints["test"] == hashlib.sha256(header + toy_graph.test.numpy().tobytes()).hexdigest()


def test_only_what_changed_changes(toy_graph):
    prints = fingerprint(toy_graph)
    visual = toy_graph.modalities["visual"]
    present = visual.present.clone()
    present[0] = False
    relabelled = Vocabulary("entity", toy_graph.entities.keys, tuple(k.upper() for k in toy_graph.entities.keys))
    variants = [
        ({"name": "other", "entities": relabelled}, set()),
        ({"train": toy_graph.train.flip(0)}, {"train"}),
        ({"filter_only": toy_graph.valid}, {"filter_only"}),
        ({"modalities": {**toy_graph.modalities, "visual": Modality(visual.features, present)}}, {"modality/visual"}),
        (
            {"modalities": {"visual": Modality(visual.features.half(), visual.present)}},
            set(prints) & {"modality/visual", "modality/textual"},
        ),
        ({"valid": torch.empty(0, 3, dtype=torch.int64)}, {"valid"}),
    ]
    for change, expected in variants:
        assert changed(prints, fingerprint(replace(toy_graph, **change))) == expected


def test_an_empty_split_has_a_fingerprint_whatever_its_strides(toy_graph):
    empty = torch.empty(0, 3, dtype=torch.int64)
    prints = [fingerprint(replace(toy_graph, test=test))["test"] for test in (empty, empty.as_strided((0, 3), (0, 0)))]
    assert prints[0] == prints[1]
