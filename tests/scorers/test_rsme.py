"""RSME against its formula: ComplEx on the embedding, plus the gated cosine of the images."""

import math

import pytest
import torch

from dhns.scorers.rsme import RSME

DIM, IMAGE, ENTITIES, RELATIONS, BETA = 2, 3, 5, 2, 0.6
TRIPLES = torch.cartesian_prod(torch.arange(ENTITIES), torch.arange(RELATIONS), torch.arange(ENTITIES))


@pytest.fixture
def scorer():
    return RSME(DIM, structural_weight=BETA)


@pytest.fixture
def tables():
    """Entities ``[embedding ; unit image]``, the last without an image, and relations ``[vector ; logit]``."""
    generator = torch.Generator().manual_seed(1)
    shape = {"generator": generator, "dtype": torch.float64}
    embeddings, images = torch.randn(ENTITIES, 2 * DIM, **shape), torch.randn(ENTITIES, IMAGE, **shape)
    images = images / images.norm(dim=1, keepdim=True)
    images[-1] = 0
    return torch.cat([embeddings, images], dim=1), torch.randn(RELATIONS, 2 * DIM + 1, **shape)


def complex_score(h, r, t):
    numbers = [[complex(v[i], v[DIM + i]) for i in range(DIM)] for v in (h, r, t)]
    return sum((a * b * c.conjugate()).real for a, b, c in zip(*numbers, strict=True))


def cosine(a, b):
    lengths = math.hypot(*a) * math.hypot(*b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


def rsme(h, r, t):
    gate = 1 / (1 + math.exp(-r[2 * DIM]))
    return BETA * complex_score(h, r, t) + (1 - BETA) * gate * cosine(h[2 * DIM :], t[2 * DIM :])


@pytest.fixture
def expected(tables):
    entities, relations = (table.tolist() for table in tables)
    scores = [rsme(entities[h], relations[r], entities[t]) for h, r, t in TRIPLES.tolist()]
    return torch.tensor(scores, dtype=torch.float64)


def test_score_is_the_formula(scorer, tables, expected):
    entities, relations = tables[0], scorer.prepare(tables[1])
    h, r, t = TRIPLES.T
    torch.testing.assert_close(scorer(entities[h], relations[r], entities[t]), expected)


@pytest.mark.parametrize("sides", [[False], [True], [False, True, True]], ids=["tail", "head", "mixed"])
def test_ranking_paths_agree_with_the_formula(scorer, tables, expected, sides):
    entities, relations = tables[0], scorer.prepare(tables[1])
    h, r, t = TRIPLES.T
    side = torch.tensor(sides).repeat(len(TRIPLES))[: len(TRIPLES)]
    known, answer = torch.where(side, t, h), torch.where(side, h, t)
    query = entities[known], relations[r], side, entities
    torch.testing.assert_close(scorer.score_all(*query).gather(1, answer[:, None])[:, 0], expected)
    index = torch.stack([answer, answer.flip(0)], dim=1)
    torch.testing.assert_close(scorer.score_candidates(*query, index), scorer.score_all(*query).gather(1, index))


def test_an_entity_without_image_has_the_structural_score_alone(scorer, tables):
    entities, relations = tables[0], scorer.prepare(tables[1])
    score = scorer(entities[-1], relations[0], entities[:-1])
    structural = [BETA * complex_score(entities[-1].tolist(), tables[1][0].tolist(), t) for t in entities[:-1].tolist()]
    torch.testing.assert_close(score, torch.tensor(structural, dtype=torch.float64))


def test_a_closed_gate_shuts_images_out_and_an_open_one_lets_them_in(scorer, tables):
    entities, relations = tables[0], tables[1].clone()
    relations[:, -1] = torch.tensor([-100.0, 100.0])
    relations = scorer.prepare(relations)
    swapped = torch.cat([entities[:, : 2 * DIM], entities.roll(1, 0)[:, 2 * DIM :]], dim=1)
    for row, same in enumerate((True, False)):
        before, after = (scorer(table[0], relations[row], table[1]) for table in (entities, swapped))
        assert torch.isclose(before, after) == same


def test_single_views_are_scored_by_their_embedding(scorer, tables):
    relations = scorer.prepare(tables[1])
    views = tables[0][:, : 2 * DIM]
    wide = scorer.query(tables[0][:1], relations[:1])
    narrow = scorer.query(views[:1], relations[:1])
    torch.testing.assert_close(scorer.match(wide, views), scorer.match(narrow, views))
    torch.testing.assert_close(
        scorer.match(narrow[0], views[1]) / BETA,
        torch.tensor(
            complex_score(views[0].tolist(), tables[1][0].tolist(), views[1].tolist()), dtype=torch.float64
        ),
    )  # fmt: skip


def test_magnitudes_are_moduli_of_embeddings_and_relations_alone(scorer, tables):
    for table in tables:
        for row, found in zip(table.tolist(), scorer.magnitudes(table).tolist(), strict=True):
            assert found == pytest.approx([abs(complex(row[i], row[DIM + i])) for i in range(DIM)])


def test_gates_start_half_open_and_vectors_as_small_as_asked(scorer):
    relations = scorer.initial_relations(400)
    assert relations.shape == (400, scorer.relation_width)
    assert (scorer.prepare(relations)[:, -1] == 0.5).all()
    assert 0.9 * scorer.init_range < relations[:, :-1].abs().max() <= scorer.init_range


def test_the_gate_learns_from_the_visual_term(scorer, tables):
    relations = tables[1].clone().requires_grad_()
    prepared = scorer.prepare(relations)
    likeness = cosine(tables[0][0, 2 * DIM :].tolist(), tables[0][1, 2 * DIM :].tolist())
    scorer(tables[0][0], prepared[0], tables[0][1]).backward()
    gate = 1 / (1 + math.exp(-tables[1][0, -1]))
    assert relations.grad[0, -1].item() == pytest.approx((1 - BETA) * likeness * gate * (1 - gate))
