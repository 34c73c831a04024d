"""MANS: what modality-level negatives keep, how many there are, and the rule that adapts their number."""

import dataclasses

import pytest
import torch

from builders import small_model
from dhns.encoders.projected_views import ProjectedViews
from dhns.encoders.structural import StructuralEncoder
from dhns.errors import InputError
from dhns.graph.knowledge_graph import Modality
from dhns.graph.queries import Queries
from dhns.models.batch import score_negatives
from dhns.models.kge_model import KGEModel
from dhns.negatives.mans import MANS
from dhns.randomness import stream
from dhns.scorers.transe import TransE
from dhns.scorers.view_energies import ViewEnergies

DONORS = {0, 2, 4, 6, 8, 10}  # entities of the toy graph with an image


@pytest.fixture
def model(toy_graph):
    return small_model(toy_graph, TransE(dim=6))


def sides(triples, negatives):
    """The true entity and the known one of each positive."""
    head, tail, asked = triples[:, 0], triples[:, 2], negatives.head_side
    return torch.where(asked, head, tail), torch.where(asked, tail, head)


def modality_level(triples, negatives):
    """``(B, N)`` bool: negatives that keep the true entity's structure."""
    return negatives.entity == sides(triples, negatives)[0][:, None]


def test_visual_variant_keeps_structure_and_swaps_the_image(toy_graph, model):
    triples = toy_graph.train
    negatives = MANS(toy_graph, 50, share=1.0)(triples, 0, stream(0, "test"), model)
    true, _ = sides(triples, negatives)
    assert torch.equal(negatives.entity, true[:, None].expand(-1, 50))
    assert set(negatives.views) == {"visual"}
    for own, lent in zip(true.tolist(), negatives.views["visual"].tolist(), strict=True):
        assert set(lent) == DONORS - {own}


@pytest.mark.parametrize(("share", "count"), [(0.3, 5), (0.3, 1), (0.5, 1), (0.01, 1)])
def test_the_share_is_exact_over_the_batch(toy_graph, model, share, count):
    triples = toy_graph.train
    negatives = MANS(toy_graph, count, share=share)(triples, 0, stream(0, "test"), model)
    expected = round(share * len(triples) * count)
    if expected == 0:
        assert negatives.views is None
        return
    kept = modality_level(triples, negatives)
    assert kept.sum() == expected
    assert kept.sum(1).max() - kept.sum(1).min() <= 1
    assert torch.equal(kept, negatives.views["visual"] != negatives.entity)


def test_other_negatives_are_bernoulli_negatives(toy_graph, model):
    known = {tuple(row) for row in toy_graph.train.tolist()}
    triples = toy_graph.train
    negatives = MANS(toy_graph, 100, share=0.3)(triples, 0, stream(0, "test"), model)
    kept = modality_level(triples, negatives)
    assert kept.sum() == round(0.3 * 100 * len(triples))
    for row, (h, r, t) in enumerate(triples.tolist()):
        drawn = negatives.entity[row][~kept[row]].tolist()
        assert not {(e, r, t) if negatives.head_side[row] else (h, r, e) for e in drawn} & known


def test_two_stages(toy_graph, model):
    sampler = MANS(toy_graph, 4, share=0.0, first_stage=3)
    negatives = [sampler(toy_graph.train, step, stream(0, "test", step), model) for step in (0, 2, 3, 100)]
    assert [n.views is None for n in negatives] == [False, False, True, True]
    assert modality_level(toy_graph.train, negatives[1]).all()
    assert not modality_level(toy_graph.train, negatives[2]).any()


def test_a_negative_scores_with_the_image_of_one_and_all_else_of_the_other(toy_graph, model):
    """TransE on fused views, by hand."""
    triples = toy_graph.train[:6]
    negatives = MANS(toy_graph, 3, share=1.0)(triples, 0, stream(0, "test"), model)
    found = score_negatives(model, triples, negatives)[2]
    encoder = model.encoder
    views = encoder().views
    weight = encoder.attention.weight[0]

    def fused(entity, image):
        rows = [views["structure"][entity], views["visual"][image], views["textual"][entity]]
        rows = [row for row, there in zip(rows, [True, image in DONORS, True], strict=True) if there]
        shares = torch.stack([torch.dot(row.tanh(), weight) for row in rows]).softmax(0)
        return sum(share * row for share, row in zip(shares, rows, strict=True))

    for row, (h, r, t) in enumerate(triples.tolist()):
        for column, image in enumerate(negatives.views["visual"][row].tolist()):
            ends = [fused(h, h), fused(t, t)]
            ends[0 if negatives.head_side[row] else 1] = fused(h if negatives.head_side[row] else t, image)
            score = model.scorer.margin - (ends[0] + model.relations[r] - ends[1]).abs().sum()
            torch.testing.assert_close(found[row, column], score)


def fusing(graph):
    """One score of fused views."""
    scorer = TransE(dim=6)
    return small_model(graph, scorer).encoder, scorer


def comparing(graph):
    """The sum of IKRL's four energies."""
    scorer = ViewEnergies(TransE, 6, 9.0, [[0, 0], [1, 1], [1, 0], [0, 1]])
    torch.manual_seed(0)
    return ProjectedViews(graph, scorer, ["visual"]), scorer


@pytest.mark.parametrize(
    ("make", "views"), [(fusing, ["visual"]), (fusing, ["visual", "textual"]), (comparing, ["visual"])]
)
@pytest.mark.parametrize("reciprocal", [False, True])
def test_adapted_share_compares_scores_across_and_within_views(toy_graph, make, views, reciprocal):
    encoder, scorer = make(toy_graph)
    model = KGEModel(encoder, scorer, 3, reciprocal).double()
    triples = toy_graph.train
    sampler = MANS(toy_graph, 7, views=views)
    head_side = torch.arange(len(triples)) % 3 == 0
    drawn = torch.randint(12, (len(triples), 7), generator=stream(0, "drawn"))
    found = sampler.adapted_share(Queries.of(triples, head_side), drawn, model)

    encoded = model.encode()
    tables = {name: encoded.views[name].tolist() for name in encoded.views}
    present = {name: encoded.present[name].tolist() for name in encoded.views}
    relations = model.relations.tolist()

    def vector(view, entity):
        return tables[view if present[view][entity] else "structure"][entity]

    def score(asked, relation, sign, answer):
        return scorer.margin - sum(abs(a + sign * r - b) for a, r, b in zip(asked, relation, answer, strict=True))

    wins = 0
    for row, (h, r, t) in enumerate(triples.tolist()):
        observed = t if head_side[row] else h
        sign = -1 if head_side[row] and not reciprocal else 1
        relation = relations[r + 3 * (reciprocal and head_side[row].item())]
        for entity in drawn[row].tolist():
            within, across = [], []
            for a in ["structure", *views]:
                for b in ["structure", *views]:
                    pair = score(vector(a, observed), relation, sign, vector(b, entity))
                    (within if a == b else across).append(pair)
            # a tie is no win; how sum() rounds depends on the version of Python
            wins += sum(across) / len(across) > sum(within) / len(within) + 1e-12
    assert 0 < wins < drawn.numel()
    assert found == pytest.approx(wins / drawn.numel())


def test_adaptive_variant_takes_the_adapted_share(toy_graph, model, monkeypatch):
    sampler = MANS(toy_graph, 5)
    shares = []
    adapted = sampler.adapted_share
    monkeypatch.setattr(sampler, "adapted_share", lambda *args: shares.append(adapted(*args)) or shares[-1])
    negatives = sampler(toy_graph.train, 0, stream(0, "test"), model)
    assert 0 < shares[0] < 1
    assert modality_level(toy_graph.train, negatives).sum() == round(shares[0] * negatives.entity.numel())
    assert not any(p.grad is not None for p in model.parameters())


def test_a_graph_without_images_swaps_what_it_has(toy_graph):
    text = dataclasses.replace(toy_graph, modalities={"textual": toy_graph.modalities["textual"]})
    model = small_model(text, TransE(dim=6))
    negatives = MANS(text, 4, share=1.0)(text.train, 0, stream(0, "test"), model)
    assert set(negatives.views) == {"textual"}


def test_a_stream_fixes_the_draws(toy_graph, model):
    sampler = MANS(toy_graph, 6, share=0.5)
    before = torch.get_rng_state()
    first, again, other = (sampler(toy_graph.train, 0, stream(0, name), model) for name in ("a", "a", "b"))
    assert torch.equal(first.entity, again.entity)
    assert torch.equal(first.views["visual"], again.views["visual"])
    assert not torch.equal(first.views["visual"], other.views["visual"])
    assert torch.equal(torch.get_rng_state(), before)


def test_bad_settings_are_refused(toy_graph):
    with pytest.raises(InputError, match=r"negatives.share is 1.5; expected"):
        MANS(toy_graph, share=1.5)
    with pytest.raises(InputError, match=r"negatives.first_stage is -1; expected"):
        MANS(toy_graph, first_stage=-1)
    images = Modality(torch.zeros(12, 2), torch.zeros(12, dtype=torch.bool))
    with pytest.raises(InputError, match="fewer than 2"):
        MANS(dataclasses.replace(toy_graph, modalities={"visual": images}))
    scorer = TransE(dim=6)
    blind = KGEModel(StructuralEncoder(toy_graph, scorer), scorer, 3)
    with pytest.raises(InputError, match="encoder has no view 'visual'"):
        MANS(toy_graph)(toy_graph.train, 0, stream(0, "test"), blind)
