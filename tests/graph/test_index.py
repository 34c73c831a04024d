import pytest
import torch

from dhns.graph.index import KnownAnswers
from dhns.graph.queries import Queries

ENTITIES, RELATIONS = 7, 2
TRIPLES = torch.tensor(
    [[0, 0, 1], [0, 0, 3], [0, 0, 6], [0, 0, 3], [2, 0, 1], [2, 1, 2], *[[4, 1, tail] for tail in range(ENTITIES)]]
)
QUERIES = [(e, r, side) for e in range(ENTITIES) for r in range(RELATIONS) for side in (False, True)]


def answers(entity, relation, head_side):
    """The definition, by a loop."""
    rows = TRIPLES.tolist()
    if head_side:
        return sorted({h for h, r, t in rows if (r, t) == (relation, entity)})
    return sorted({t for h, r, t in rows if (h, r) == (entity, relation)})


@pytest.fixture
def known():
    return KnownAnswers(TRIPLES, ENTITIES, RELATIONS)


@pytest.fixture
def queries():
    entity, relation, head_side = zip(*QUERIES, strict=True)
    return Queries(torch.tensor(entity), torch.tensor(relation), torch.tensor(head_side))


def test_lookup_equals_the_definition(known, queries):
    query, entity = known.lookup(queries)
    expected = [(index, answer) for index, asked in enumerate(QUERIES) for answer in answers(*asked)]
    assert list(zip(query.tolist(), entity.tolist(), strict=True)) == expected


def test_sampled_entities_are_never_known_answers(known, queries):
    sample = known.sample_unknown(queries, count=300, rng=torch.Generator().manual_seed(0))
    for row, asked in zip(sample, QUERIES, strict=True):
        unknown = set(range(ENTITIES)) - set(answers(*asked)) or set(range(ENTITIES))
        assert set(row.tolist()) == unknown


def test_sampling_is_exactly_uniform_over_unknown_entities(known, queries, monkeypatch):
    # The draw alone is random. Fed with 420 equally spaced numbers, which every count of unknown entities up to 7
    # divides evenly, it must give each unknown entity the same number of times.
    grid = (torch.arange(420, dtype=torch.float64) + 0.5) / 420
    monkeypatch.setattr(torch, "rand", lambda rows, count, **_: grid.expand(rows, count))
    sample = known.sample_unknown(queries, count=420)
    for row, asked in zip(sample, QUERIES, strict=True):
        unknown = [e for e in range(ENTITIES) if e not in answers(*asked)] or list(range(ENTITIES))
        counts = torch.bincount(row, minlength=ENTITIES)
        assert counts[unknown].tolist() == [420 // len(unknown)] * len(unknown)


def test_sampling_repeats_with_the_generator(known, queries):
    one, two = (known.sample_unknown(queries, 5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, two)


def test_nothing_known(queries):
    known = KnownAnswers(torch.empty(0, 3, dtype=torch.int64), ENTITIES, RELATIONS)
    assert len(known.lookup(queries)[0]) == 0
    sample = known.sample_unknown(queries, count=200, rng=torch.Generator().manual_seed(0))
    assert set(sample.flatten().tolist()) == set(range(ENTITIES))


def test_tables_stay_out_of_checkpoints(known):
    assert known.state_dict() == {}
