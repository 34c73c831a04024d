import json
from dataclasses import asdict, replace

import pytest
import torch

from dhns.graph.audit import audit
from dhns.graph.knowledge_graph import Modality, Vocabulary
from dhns.graph.readers import read_openke
from dhns.graph.relation_rules import mine_rules
from dhns.graph.statistics import statistics


def test_toy_graph_has_nothing_wrong(toy_graph):
    report = audit(toy_graph)
    assert [(part.split, part.count, part.distinct, part.self_loops) for part in report.splits] == [
        ("train", 18, 18, 0),
        ("valid", 3, 3, 0),
        ("test", 3, 3, 0),
    ]
    assert all(shared.triples == 0 for shared in report.overlaps)
    assert report.entities_in_no_split == 0
    assert json.loads(json.dumps(asdict(report)))["dataset"] == "toy"


def test_held_out_rows_that_train_gives_away_or_cannot_support(toy_graph):
    # train: 0 next 1, 3 previous 2, 2 kind_of 0, ...; entity 11 occurs in no training triple
    test = torch.tensor([[0, 2, 1], [1, 0, 0], [2, 1, 3], [11, 0, 0], [3, 2, 3]])
    _, held_out = audit(replace(toy_graph, test=test)).held_out
    assert held_out.pair_in_train == 2  # 0-1 and 2-3, by next
    assert held_out.reversed_in_train == 2  # 1-0 of 0 next 1; 2-3 of 3 previous 2
    assert held_out.reversed_same_relation == 2
    assert (held_out.unseen_entities, held_out.with_unseen_entity) == (1, 1)
    assert held_out.unseen_relations == ()


def test_unseen_relations_are_named(toy_graph):
    train = toy_graph.train[toy_graph.train[:, 1] != 2]
    _, held_out = audit(replace(toy_graph, train=train)).held_out
    assert held_out.unseen_relations == ("kind of",)
    assert held_out.with_unseen_relation == 1


def test_faults_become_warnings(toy_graph):
    bad = replace(
        toy_graph,
        valid=torch.cat([toy_graph.valid, toy_graph.valid[:1], toy_graph.train[:2], toy_graph.test[:1]]),
        modalities={
            "flat": Modality(torch.ones(12, 3), torch.ones(12, dtype=torch.bool)),
            "twins": Modality(torch.arange(12.0)[:, None] // 2, torch.ones(12, dtype=torch.bool)),
        },
    )
    text = "\n".join(audit(bad).warnings)
    assert "1 of the 7 valid rows repeat another row" in text
    assert "2 triples are in both train and valid" in text
    assert "1 triples are in both valid and test" in text
    assert "protocol=clean" in text
    assert "flat features of all entities are the same" in text
    assert "twins features of 6 of 12 entities repeat" in text


def test_reversed_pairs_are_warned_of_as_pairs_are(toy_graph):
    # train has 0 next 1 and 1 next 2: here by next and by previous
    test = torch.tensor([[1, 0, 0], [2, 1, 1], [11, 2, 0], [11, 2, 1]])
    warned = "50% of the test rows have a pair that train links the other way round (25% by the same relation)"
    assert warned in "".join(audit(replace(toy_graph, test=test)).warnings)
    assert "test rows have a pair" not in "".join(audit(replace(toy_graph, test=test[2:])).warnings)


def test_entities_that_nothing_tells_of_are_counted(toy_graph):
    assert audit(toy_graph).untrained_entities == 0
    report = audit(replace(toy_graph, modalities={}))
    assert ("entities with neither training triples nor features", "1") in report.rows()
    assert any("1 entities have neither training triples nor features" in warning for warning in report.warnings)


def test_names_that_differ_by_case(toy_graph):
    keys = ("e0", "E0", "e 0", "E0 ", *toy_graph.entities.keys[4:])
    report = audit(replace(toy_graph, entities=Vocabulary("entity", keys, keys)))
    assert [(part.kind, part.by_case) for part in report.names] == [("entity", 2), ("relation", 0)]
    told = "2 entity names differ from another only in case, such as 'e0' and 'E0'; they count as different"
    assert told in report.warnings


@pytest.mark.parametrize("split", ["valid", "test"])
def test_empty_splits_are_no_fault(toy_graph, split):
    empty = replace(toy_graph, **{split: torch.empty(0, 3, dtype=torch.int64)})
    assert (f"{split} triples", "0 rows, 0 distinct, 0 self-loops") in audit(empty).rows()
    assert statistics(empty).triples[split] == 0


def test_modality_coverage(toy_graph):
    visual, textual = audit(toy_graph).modalities
    assert (visual.name, visual.entities, visual.share, visual.distinct_rows) == ("visual", 6, 0.5, 6)
    assert (textual.entities, textual.distinct_rows) == (12, 12)


def test_rules(toy_graph):
    def chain(relation, count, step=1):
        return [(i, relation, i + step) if step > 0 else (i - step, relation, i) for i in range(count)]

    # 0 and 1 link 10 pairs alike, 2 reverses 8 of them; self-loops of 2 count for nothing
    loops = [(i, 2, i) for i in range(12)]
    triples = chain(0, 10) + chain(1, 10) + chain(2, 8, step=-1) + loops
    rules = mine_rules(replace(toy_graph, train=torch.tensor(triples)), min_confidence=0.8, min_support=8)
    found = {(rule.kind, rule.premise, rule.conclusion, rule.support, rule.confidence) for rule in rules}
    assert found == {
        ("duplicate", "next", "previous", 10, 1.0),
        ("duplicate", "previous", "next", 10, 1.0),
        ("inverse", "next", "kind of", 8, 0.8),
        ("inverse", "previous", "kind of", 8, 0.8),
        ("inverse", "kind of", "next", 8, 1.0),
        ("inverse", "kind of", "previous", 8, 1.0),
    }


def test_symmetric_relation(toy_graph):
    both_ways = [(i, 0, i + 1) for i in range(6)] + [(i + 1, 0, i) for i in range(6)]
    (rule,) = mine_rules(replace(toy_graph, train=torch.tensor(both_ways)))
    assert (rule.kind, rule.premise, rule.support) == ("symmetric", "next", 12)
    assert rule.rows() == [("symmetric in train", "next (12 triples, 100%)")]


def test_relations_by_the_ten_thousand_need_no_table_of_all_pairs(toy_graph):
    # as numbers of 8 bytes it would take 80 GB
    relations = Vocabulary("relation", *2 * (tuple(f"relation {i}" for i in range(100_000)),))
    pairs = [(i, r, i + 1) for i in range(11) for r in (99_998, 99_999)]
    rules = mine_rules(replace(toy_graph, relations=relations, train=torch.tensor(pairs)))
    assert {(rule.kind, rule.premise, rule.conclusion) for rule in rules} == {
        ("duplicate", "relation 99998", "relation 99999"),
        ("duplicate", "relation 99999", "relation 99998"),
    }


def test_statistics(toy_graph):
    numbers = statistics(toy_graph)
    assert numbers.triples == {"train": 18, "valid": 3, "test": 3}
    assert sum(category.relations for category in numbers.categories.values()) == 3
    assert numbers.categories["N-1"].triples == {"train": 6, "valid": 1, "test": 1}  # kind of
    assert (numbers.max_degree, numbers.max_degree_entity) == (5, "Entity 1")  # its ring, and e3, e5, e7 of its kind
    assert (numbers.modalities["visual"].share, numbers.modalities["visual"].dim) == (0.5, 5)
    assert ("train triples", "18") in numbers.rows()
    json.dumps(asdict(numbers))


def test_db15k(benchmarks):
    graph = read_openke(benchmarks / "DB15K", "DB15K")
    report = audit(graph)
    train, valid, test = report.splits
    assert (train.self_loops, valid.count, valid.distinct, test.self_loops) == (768, 9904, 7481, 90)
    train_valid, train_test, valid_test = report.overlaps
    assert (train_valid.triples, train_valid.rows_of_second) == (6584, 8719)
    assert (valid_test.triples, valid_test.rows_of_first) == (824, 1105)
    assert train_test.triples == 0
    held_out = report.held_out[1]
    assert (held_out.with_unseen_entity, held_out.with_unseen_relation, held_out.unseen_entities) == (77, 7, 57)
    assert (held_out.pair_in_train, held_out.reversed_in_train, held_out.reversed_same_relation) == (2519, 657, 131)
    assert ("symmetric", "sister college") in {(rule.kind, rule.premise) for rule in report.rules}
    assert {rule.premise for rule in report.rules if rule.kind == "duplicate"} == {
        "associated band",
        "associated musical artist",
    }
    assert any("6,584 triples are in both train and valid" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("MKG-W", (306, 278, 449, 224, 58)), ("MKG-Y", (388, 352, 704, 50, 47))],
)
def test_clean_benchmarks(benchmarks, name, expected):
    report = audit(read_openke(benchmarks / name, name))
    test = report.held_out[1]
    counts = (test.with_unseen_entity, test.unseen_entities, test.pair_in_train)
    assert (*counts, test.reversed_in_train, test.reversed_same_relation) == expected
    assert all(shared.triples == 0 for shared in report.overlaps)
