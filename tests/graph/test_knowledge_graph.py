from dataclasses import FrozenInstanceError

import pytest
import torch

from dhns.errors import InputError
from dhns.graph.knowledge_graph import Vocabulary

ENTITIES = Vocabulary(
    "entity",
    ("Q20", "Q34", "Q159", "Q230", "Q1428", "7"),
    ("Norway", "Sweden", "Russia", "Georgia", "Georgia", "Seven"),
)


@pytest.mark.parametrize(
    ("name", "index"), [("Q34", 1), ("Sweden", 1), ("sweden", 1), ("SWEDEN", 1), ("2", 2), (2, 2), ("7", 5), (7, 5)]
)
def test_find_by_key_label_or_id(name, index):
    assert ENTITIES.find(name) == index


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Swedn", "no entity is named 'Swedn'; did you mean 'Sweden'"),
        ("zzzz", r"no entity is named 'zzzz'$"),
        ("Georgia", "entity 'Georgia' is ambiguous: Q230, Q1428; give the key or the id instead"),
        ("georgia", "entity 'georgia' is ambiguous"),
        ("6", "entity id 6 is out of range; ids go from 0 to 5"),
    ],
)
def test_find_says_what_is_wrong(name, message):
    with pytest.raises(InputError, match=message):
        ENTITIES.find(name)


def test_one_label_per_key():
    with pytest.raises(InputError, match="1 labels for 2 relation keys"):
        Vocabulary("relation", ("a", "b"), ("A",))


def test_splits(toy_graph):
    assert len(toy_graph.triples("train", "valid", "test")) == 24
    with pytest.raises(InputError, match="no split is named 'dev'; the splits are train, valid, test"):
        toy_graph.split("dev")


def test_words(toy_graph):
    assert toy_graph.describe((2, 2, 0)) == "Entity 2 - kind of - Entity 0"


def test_linked_pairs_are_those_of_train_in_either_direction(toy_graph):
    count = toy_graph.num_entities
    pairs = {(min(h, t), max(h, t)) for h, _, t in toy_graph.train.tolist()}
    assert toy_graph.linked_pairs.tolist() == sorted(lesser * count + greater for lesser, greater in pairs)


def test_seen_entities_are_those_of_train(toy_graph):
    assert (~toy_graph.seen_entities).nonzero().flatten().tolist() == [11]


def test_graph_cannot_be_changed(toy_graph):
    with pytest.raises(FrozenInstanceError):
        toy_graph.train = torch.empty(0, 3)
    with pytest.raises(TypeError):
        toy_graph.modalities["visual"] = None
