import json
from dataclasses import replace

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from dhns.errors import InputError
from dhns.graph.overlap import contamination, overlap
from dhns.graph.protocol import Protocol, known_triples
from dhns.graph.readers import read_openke
from dhns.resources import conf_dir

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


@pytest.mark.parametrize("what", ["train", "test", "repeated", "empty"])
def test_clean_carves_where_validation_is_no_hold_out(toy_graph, what):
    valid = toy_graph.valid
    rows = {"train": toy_graph.train[:1], "test": toy_graph.test[:1], "repeated": valid[:1], "empty": valid[:0]}
    bad = rows[what] if what == "empty" else torch.cat([valid, rows[what]])
    prepared = CLEAN.prepare(replace(toy_graph, valid=bad))
    found = contamination(prepared)
    assert found.rows > 0
    assert not found.overlaps
    assert not found.repeats
    assert len(prepared.train) < len(toy_graph.train)
    CLEAN.check_selection(prepared)


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
    [("validation", "test"), ("select", "best_test"), ("ties", "optimistic"), ("carve_fraction", 0.0)],
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
    assert protocol == Protocol(name, {"as_published": "published", "clean": "carved_if_contaminated"}[name])


def test_db15k_is_refused_as_published_and_carved_when_clean(benchmarks):
    graph = read_openke(benchmarks / "DB15K", "DB15K")
    with pytest.raises(InputError, match="of its 7,481 distinct triples 6,584 are training triples and 824 are test"):
        AS_PUBLISHED.check_selection(graph)
    clean = Protocol("clean", "carved_if_contaminated").prepare(graph)
    assert (len(clean.train), len(clean.valid), len(clean.filter_only)) == (79222 - 3961, 3961, 73)
    assert len(known_triples(clean)) == 89197


def test_mkg_y_is_a_hold_out(benchmarks):
    graph = read_openke(benchmarks / "MKG-Y", "MKG-Y")
    AS_PUBLISHED.check_selection(graph)
    assert Protocol("clean", "carved_if_contaminated").prepare(graph) is graph
