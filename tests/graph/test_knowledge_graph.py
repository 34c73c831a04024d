from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from dhns.errors import InputError
from dhns.graph.features import read_modalities
from dhns.graph.knowledge_graph import KnowledgeGraph, Vocabulary

FACTS = [("a", "r", "b")]
ENTITIES = Vocabulary(
    "entity",
    ("Q20", "Q34", "Q159", "Q230", "Q1428", "7"),
    ("Norway", "Sweden", "Russia", "Georgia", "Georgia", "Seven"),
)


@pytest.mark.parametrize(
    ("name", "index"),
    [("Q34", 1), ("Sweden", 1), ("sweden", 1), ("SWEDEN", 1), ("q34", 1), ("7", 5), ("id:2", 2), ("id:5", 5)],
)
def test_find_by_key_label_or_id(name, index):
    assert ENTITIES.find(name) == index


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Swedn", "no entity is named 'Swedn'; did you mean 'Sweden'"),
        ("zzzz", r"no entity is named 'zzzz'$"),
        ("Georgia", "entity 'Georgia' is ambiguous: Q230, Q1428; give one of these keys instead"),
        ("georgia", "entity 'georgia' is ambiguous"),
        ("2", "no entity is named '2'; id:2 is the entity of that id, Russia"),
        ("6", "no entity is named '6'$"),
        ("id:6", "entity id 6 is out of range; ids go from 0 to 5"),
        ("id:", "no entity is named 'id:'"),
        ("id:-1", "no entity is named 'id:-1'"),
    ],
)
def test_find_says_what_is_wrong(name, message):
    with pytest.raises(InputError, match=message):
        ENTITIES.find(name)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("cdk1", 0),  # an exact key beside one of another case
        ("CDK1", 1),
        ("apple", 2),  # a key that is the label of another
        ("pear", 3),
        ("Pear", 4),  # an exact label beside one of another case
        ("id:1", 5),  # a key that looks like an id
        ("null", 6),
    ],
)
def test_the_exact_key_wins_then_the_exact_label(name, index):
    keys = ("cdk1", "CDK1", "apple", "k3", "k4", "id:1", "null")
    labels = ("cdk1", "CDK1", "fruit", "pear", "Pear", "apple", "nothing")
    assert Vocabulary("entity", keys, labels).find(name) == index


def test_many_things_of_one_name_are_counted_not_listed():
    keys = tuple(f"k{index}" for index in range(7))
    with pytest.raises(InputError, match=r"ambiguous: k0, k1, k2, k3, k4, \.\.\.; give one"):
        Vocabulary("entity", keys, ("same",) * 7).find("same")


def test_case_is_ignored_only_where_that_is_unique():
    names = Vocabulary("entity", ("Alpha", "ALPHA", "Beta"), ("x", "y", "beta"))
    assert names.find("BETA") == 2  # the key and the label of one
    with pytest.raises(InputError, match="'alpha' is ambiguous: Alpha, ALPHA"):
        names.find("alpha")


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


def test_untrained_entities_have_neither_triples_in_train_nor_features(toy_graph):
    assert not toy_graph.untrained_entities.any()  # 11 has a text
    bare = replace(toy_graph, modalities={"visual": toy_graph.modalities["visual"]})
    assert bare.untrained_entities.nonzero().flatten().tolist() == [11]
    assert (~bare.seen_entities).nonzero().flatten().tolist() == [11]


def test_graph_cannot_be_changed(toy_graph):
    with pytest.raises(FrozenInstanceError):
        toy_graph.train = torch.empty(0, 3)
    with pytest.raises(TypeError):
        toy_graph.modalities["visual"] = None


@pytest.mark.parametrize("name", ["", "structure", "../../up", "a/b", "a.b", "keys", "training", 1])
def test_names_that_no_modality_can_have(name, tmp_path):
    with pytest.raises(InputError, match=f"'{name}' cannot be the name of a modality"):
        KnowledgeGraph.from_triples(FACTS, features={name: {"a": [1.0]}})
    with pytest.raises(InputError, match=f"'{name}' cannot be the name of a modality"):
        read_modalities(tmp_path, {name: "no such file"}, ENTITIES)


@pytest.mark.parametrize("name", ["audio", "my texts", "ü", "a-b_c,1"])
def test_names_that_a_modality_can_have(name):
    assert [*KnowledgeGraph.from_triples(FACTS, features={name: {"a": [1.0]}}).modalities] == [name]
