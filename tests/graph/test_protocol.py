import json
from dataclasses import replace

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from dhns.errors import InputError
from dhns.graph.fingerprint import fingerprint
from dhns.graph.overlap import contamination, overlap
from dhns.graph.protocol import Protocol, known_triples
from dhns.graph.readers import read_openke
from dhns.graph.triple_sets import is_in
from dhns.resources import conf_dir, embedded_dir

AS_PUBLISHED = Protocol("as_published", "published")
CLEAN = Protocol("clean", "carved_if_contaminated", carve_fraction=0.2)


@pytest.fixture
def dirty_graph(toy_graph):
    """Validation: one own triple, twice; two of train; one of test."""
    rows = [toy_graph.valid[:1], toy_graph.valid[:1], toy_graph.train[:2], toy_graph.test[:1]]
    return replace(toy_graph, name="dirty", valid=torch.cat(rows))


def test_contamination_counts_distinct_triples(dirty_graph):
    found = contamination(dirty_graph)
    assert (found.rows, found.triples, found.in_train, found.in_test) == (5, 4, 2, 1)
    assert found.overlaps
    assert found.repeats


def test_overlap_counts_rows_of_both_sides(dirty_graph):
    again = replace(dirty_graph, valid=torch.cat([dirty_graph.valid, dirty_graph.train[:1]]))
    shared = overlap(again, "train", "valid")
    assert (shared.triples, shared.rows_of_first, shared.rows_of_second) == (2, 2, 3)


def test_as_published_leaves_the_graph_alone(dirty_graph):
    assert AS_PUBLISHED.prepare(dirty_graph) is dirty_graph


def test_clean_leaves_a_hold_out_alone(toy_graph):
    assert CLEAN.prepare(toy_graph) is toy_graph


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("train", "1 of 4 validation rows left out: 1 is a training triple"),
        ("test", "1 of 4 validation rows left out: 1 is a test triple"),
        ("repeated", "1 of 4 validation rows left out: 1 repeats another row"),
        ("all", "3 of 6 validation rows left out: 1 is a training triple, 1 is a test triple, 1 repeats another row"),
    ],
)
def test_clean_leaves_out_a_few_bad_rows_and_tells(toy_graph, what, told):
    valid = toy_graph.valid
    bad = {"train": toy_graph.train[:1], "test": toy_graph.test[:1], "repeated": valid[1:2]}
    bad["all"] = torch.cat([*bad.values()])
    prepared = CLEAN.prepare(replace(toy_graph, valid=torch.cat([bad[what], valid])))
    assert sorted(prepared.valid.tolist()) == sorted(valid.tolist())
    assert torch.equal(prepared.train, toy_graph.train)
    assert prepared.notes == (f"{told} (protocol.validation=published keeps all)",)
    CLEAN.check_selection(prepared)


def test_rows_that_are_left_keep_their_order(toy_graph):
    valid = toy_graph.valid[[2, 0, 2, 1]]
    assert CLEAN.prepare(replace(toy_graph, valid=valid)).valid.tolist() == toy_graph.valid[[2, 0, 1]].tolist()


@pytest.mark.parametrize("what", ["empty", "mostly train", "one row many times"])
def test_clean_carves_where_validation_is_hardly_a_hold_out(toy_graph, what):
    valid = toy_graph.valid
    sets = {
        "empty": valid[:0],
        "mostly train": torch.cat([valid[:2], toy_graph.train[:3]]),
        "one row many times": valid[[0, 0, 0]],
    }
    prepared = CLEAN.prepare(replace(toy_graph, valid=sets[what]))
    assert contamination(prepared).is_hold_out
    assert len(prepared.train) < len(toy_graph.train)
    assert prepared.notes[-1].startswith("validation set carved out of train: 4 of 18 training triples")
    assert prepared.notes[-1].endswith("select=last_epoch trains without one)") == (what == "empty")
    CLEAN.check_selection(prepared)


# --- triples that are in both train and test -----------------------------------------------------------------------


@pytest.fixture
def leaking_graph(toy_graph):
    """Five training triples are test triples, too; validation is empty."""
    return replace(toy_graph, test=torch.cat([toy_graph.test, toy_graph.train[:5]]), valid=toy_graph.valid[:0])


@pytest.mark.parametrize("carve", ["pair", "triple"])
@pytest.mark.parametrize("seed", range(5))
def test_what_is_carved_is_not_in_test(leaking_graph, seed, carve):
    prepared = replace(CLEAN, carve_seed=seed, carve_fraction=0.4, carve=carve).prepare(leaking_graph)
    assert contamination(prepared).is_hold_out
    CLEAN.check_selection(prepared)


@pytest.mark.parametrize("carve", ["pair", "triple"])
def test_a_repeated_triple_is_carved_once(toy_graph, carve):
    doubled = replace(toy_graph, train=toy_graph.train.repeat(2, 1), valid=toy_graph.valid[:0])
    prepared = replace(CLEAN, carve=carve).prepare(doubled)
    assert contamination(prepared).is_hold_out


def test_test_rows_that_are_training_rows_are_told(leaking_graph):
    for protocol in (CLEAN, AS_PUBLISHED):
        prepared = protocol.prepare(leaking_graph)
        assert prepared.notes[0].startswith("5 of 8 test rows are training rows")
        assert "protocol.in_train_and_test=drop_from_test" in prepared.notes[0]
        assert len(prepared.test) == 8


def test_test_rows_that_are_training_rows_are_left_out_on_request(toy_graph, leaking_graph):
    prepared = replace(AS_PUBLISHED, in_train_and_test="drop_from_test").prepare(leaking_graph)
    assert torch.equal(prepared.test, toy_graph.test)
    assert torch.equal(prepared.train, toy_graph.train)
    assert prepared.notes[0].startswith("5 of 8 test rows are training rows, and were left out of test")
    prepared = replace(AS_PUBLISHED, in_train_and_test="drop_from_train").prepare(leaking_graph)
    assert torch.equal(prepared.train, toy_graph.train[5:])
    assert len(prepared.test) == 8
    assert prepared.notes[0].startswith("5 of 18 training rows are test rows, and were left out of train")
    assert torch.equal(known_triples(prepared), known_triples(leaking_graph))


def test_train_is_not_emptied(toy_graph):
    same = replace(toy_graph, test=toy_graph.train)
    with pytest.raises(InputError, match="toy: all training triples are test triples; nothing is left to train on"):
        replace(CLEAN, in_train_and_test="drop_from_train").prepare(same)
    assert len(replace(AS_PUBLISHED, in_train_and_test="drop_from_test").prepare(same).test) == 0


def test_where_nothing_can_be_carved_the_way_out_is_one(toy_graph):
    star = replace(toy_graph, train=torch.tensor([[0, 0, i] for i in range(1, 5)]), valid=toy_graph.valid[:0])
    with pytest.raises(InputError, match=r"toy has no validation set to use, and none can .*: no triple of 4"):
        CLEAN.prepare(star)
    way_out = replace(AS_PUBLISHED, select="last_epoch")
    way_out.check_selection(way_out.prepare(star))


# --- selection -----------------------------------------------------------------------------------------------------


def test_selection_on_a_contaminated_set_is_refused(dirty_graph):
    with pytest.raises(InputError) as error:
        AS_PUBLISHED.check_selection(dirty_graph)
    message = str(error.value)
    assert "dirty" in message
    assert "of its 4 distinct triples 2 are training triples and 1 are test triples" in message
    for way_out in ("protocol=clean", "protocol.select=last_epoch", "protocol.allow_contaminated_selection=true"):
        assert way_out in message


def test_ways_out_of_the_refusal(toy_graph, dirty_graph):
    AS_PUBLISHED.check_selection(toy_graph)
    replace(AS_PUBLISHED, select="last_epoch").check_selection(dirty_graph)
    replace(AS_PUBLISHED, allow_contaminated_selection=True).check_selection(dirty_graph)


def test_selection_needs_validation_triples(toy_graph):
    with pytest.raises(InputError, match="toy has no validation triples"):
        AS_PUBLISHED.check_selection(replace(toy_graph, valid=toy_graph.valid[:0]))


def test_ranking_filters_the_same_triples_under_both_protocols(dirty_graph):
    assert torch.equal(known_triples(dirty_graph), known_triples(CLEAN.prepare(dirty_graph)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("validation", "test"),
        ("select", "best_test"),
        ("ties", "optimistic"),
        ("carve_fraction", 0.0),
        ("in_train_and_test", "drop"),
        ("carve", "row"),
    ],
)
def test_bad_settings(key, value):
    with pytest.raises(InputError, match=rf"protocol\.{key} is '?{value}'?; expected"):
        replace(CLEAN, **{key: value})


@pytest.mark.parametrize("name", ["as_published", "clean"])
def test_shipped_protocols(name):
    protocol = instantiate(OmegaConf.load(conf_dir() / "protocol" / f"{name}.yaml"))
    described = json.loads(json.dumps(protocol.describe()))
    assert described["name"] == name
    assert described["select"] == "best_valid"
    validation = {"as_published": "published", "clean": "carved_if_contaminated"}[name]
    assert protocol == Protocol(name, validation, carve="triple")


def test_db15k_is_refused_as_published_and_carved_when_clean(benchmarks):
    graph = read_openke(benchmarks / "DB15K", "DB15K")
    with pytest.raises(InputError, match="of its 7,481 distinct triples 6,584 are training triples and 824 are test"):
        AS_PUBLISHED.check_selection(graph)
    clean = Protocol("clean", "carved_if_contaminated").prepare(graph)
    assert (len(clean.train), len(clean.valid), len(clean.filter_only)) == (79222 - 3961, 3961, 73)
    # results are stored with these splits
    prints = {name: value[:8] for name, value in fingerprint(clean).items()}
    assert (prints["train"], prints["valid"], prints["filter_only"]) == ("54144e7a", "32b28eae", "833c4785")
    assert len(known_triples(clean)) == 89197


def linked(graph, split):
    lesser, greater = graph.split(split)[:, [0, 2]].aminmax(dim=1)
    return float(is_in(lesser * graph.num_entities + greater, graph.linked_pairs).double().mean())


def test_db15k_carved_by_triple_is_linked_as_its_test_split_is(benchmarks):
    graph = read_openke(benchmarks / "DB15K", "DB15K")
    by_pair, by_triple = (
        Protocol("clean", "carved_if_contaminated", carve=carve).prepare(graph) for carve in ("pair", "triple")
    )
    assert linked(by_pair, "valid") == 0
    assert linked(by_pair, "test") == pytest.approx(0.277, abs=0.001)
    assert linked(by_triple, "test") == pytest.approx(0.284, abs=0.001)
    assert linked(by_triple, "valid") == pytest.approx(linked(by_triple, "test"), abs=0.01)
    assert (len(by_triple.train), len(by_triple.valid), len(by_triple.filter_only)) == (79222 - 3961, 3961, 73)
    assert contamination(by_triple).is_hold_out
    assert torch.equal(by_triple.seen_entities, graph.seen_entities)
    assert len(by_triple.train[:, 1].unique()) == len(graph.train[:, 1].unique())
    prints = {name: value[:8] for name, value in fingerprint(by_triple).items()}
    assert (prints["train"], prints["valid"]) == ("43b61a9f", "3ea111d4")


@pytest.mark.parametrize("name", ["MKG-W", "MKG-Y"])
def test_mkg_is_a_hold_out(benchmarks, name):
    graph = read_openke(benchmarks / name, name)
    AS_PUBLISHED.check_selection(graph)
    assert Protocol("clean", "carved_if_contaminated").prepare(graph) is graph


def test_world_flags_is_a_hold_out():
    graph = read_openke(embedded_dir(), "world_flags")
    assert Protocol("clean", "carved_if_contaminated").prepare(graph) is graph
    prints = {name: value[:8] for name, value in fingerprint(graph).items()}
    assert (prints["train"], prints["valid"], prints["test"]) == ("27ddc974", "8939eadf", "2bcc1a33")
