"""MMRNS: similarity and contrastive loss against plain Python, the law of its draws, and who learns from what."""

import dataclasses
import itertools
import math

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf

from builders import composed, small_model
from dhns.data.datamodule import TripleDataModule
from dhns.encoders.structural import StructuralEncoder
from dhns.errors import InputError
from dhns.graph.knowledge_graph import Modality
from dhns.graph.queries import Queries
from dhns.models.kge_model import KGEModel
from dhns.negatives.cross_modal_attention import Similarity
from dhns.negatives.mmrns import MMRNS, contrastive_loss
from dhns.optim.optimization import Optimization
from dhns.randomness import stream
from dhns.scorers.rotate import RotatE
from dhns.scorers.transe import TransE
from dhns.training.build import build_module

ADAM = Optimization(torch.optim.Adam)


def make(graph, scorer=None, **options):
    torch.manual_seed(1)
    return MMRNS(graph, scorer or TransE(dim=6), ADAM, **{"num_negatives": 3, "candidates": 8, "dim": 5, **options})


@pytest.fixture
def model(toy_graph):
    return small_model(toy_graph, TransE(dim=6))


@pytest.fixture
def sampler(toy_graph):
    return make(toy_graph).double()


def ends(triples, negatives):
    """The true entity and the known one of each positive."""
    head, tail, asked = triples[:, 0], triples[:, 2], negatives.head_side
    return torch.where(asked, head, tail).tolist(), torch.where(asked, tail, head).tolist()


# --- similarity ----------------------------------------------------------------------------------------------------


def linear(layer, vector):
    return [
        sum(w * x for w, x in zip(row, vector, strict=True)) + b
        for row, b in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    ]


def standardized(vector):
    mean = sum(vector) / len(vector)
    variance = sum((x - mean) ** 2 for x in vector) / len(vector)
    return [(x - mean) / math.sqrt(variance + 1e-5) for x in vector]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def compared(attention, graph, structure, view, entity, relation):
    """What the cosine compares, for one entity and relation vector, from the formulas of the docstring."""
    gate = [1 / (1 + math.exp(-x)) for x in linear(attention.gates[view], relation)]
    if view == "structure":
        return [g * s for g, s in zip(gate, structure[entity], strict=True)]
    x = {}
    for name, modality in graph.modalities.items():
        if modality.present[entity]:
            raw = linear(attention.projections[name], modality.features[entity].tolist())
            x[name] = [v if v > 0 else 0.1 * v for v in raw]
    power = {name: math.exp(dot(x[view], other) / math.sqrt(len(other))) for name, other in x.items()}
    mixed = [sum(power[n] * x[n][i] for n in x) / sum(power.values()) for i in range(len(gate))]
    y = [a + b for a, b in zip(standardized(x[view]), standardized(mixed), strict=True)]
    return [g * v for g, v in zip(gate, y, strict=True)]


def cosine(a, b):
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def test_similarities_are_those_of_the_formula(toy_graph, sampler):
    generator = stream(0, "test")
    structure = torch.randn(12, 6, generator=generator, dtype=torch.float64)
    relation = torch.randn(3, 6, generator=generator, dtype=torch.float64)
    true, answer, pool = [4, 5, 2], [6, 8, 2], [1, 8, 2, 9]
    found = sampler.attention(structure, relation, *map(torch.tensor, (true, answer, pool)))
    assert list(found) == ["structure", "visual", "textual"]
    for view, similarity in found.items():
        has = [True] * 12 if view != "visual" else toy_graph.modalities[view].present.tolist()

        def embedded(entity, row, view=view):
            return compared(sampler.attention, toy_graph, structure.tolist(), view, entity, relation[row].tolist())

        for row in range(3):
            assert similarity.pool_known[row].tolist() == [has[true[row]] and has[e] for e in pool]
            assert similarity.answer_known[row] == (has[true[row]] and has[answer[row]])
            for column, entity in enumerate(pool):
                if has[true[row]] and has[entity]:
                    expected = cosine(embedded(true[row], row), embedded(entity, row))
                    assert similarity.pool[row, column].item() == pytest.approx(expected, abs=1e-9)
            if has[true[row]] and has[answer[row]]:
                expected = cosine(embedded(true[row], row), embedded(answer[row], row))
                assert similarity.answer[row].item() == pytest.approx(expected, abs=1e-9)


def test_each_distinct_entity_is_projected_once(toy_graph, sampler, model):
    rows = []
    for project in sampler.attention.projections.values():
        project.register_forward_hook(lambda _, args, output: rows.append(args[0].shape))
    sampler(toy_graph.train.repeat(5, 1), 0, stream(0, "test"), model)
    assert rows == [(12, 5), (12, 4)]


# --- drawing -------------------------------------------------------------------------------------------------------


def test_temperature_falls_with_the_logarithm_of_steps(toy_graph):
    sampler = make(toy_graph, exploration=10.0)
    assert sampler.temperature(0) == 10
    assert [sampler.temperature(step) for step in (1, 9, 99_999)] == pytest.approx(
        [10 / (1 + math.log(n)) for n in (2, 10, 100_000)]
    )


def test_candidates_are_drawn_without_replacement_by_their_chances(toy_graph):
    """Two views, of which one lacks a candidate; one candidate excluded; two draws of the remaining four."""
    draws, temperature = 60_000, 0.7
    structure, visual = [0.9, -0.5, 0.1, 0.4, -0.8], [0.2, 1.0, -1.0, 0.3, 0.6]
    seen, excluded = [True, True, False, True, True], [False, False, False, True, False]
    rows = torch.ones(draws, 1, dtype=torch.float64)
    views = [
        Similarity(rows * torch.tensor(values), mask.expand(draws, 5), rows[:, 0], rows[:, 0] > 0)
        for values, mask in ((structure, torch.ones(5, dtype=torch.bool)), (visual, torch.tensor(seen)))
    ]
    sampler = make(toy_graph, num_negatives=2)
    picked = sampler.pick(views, torch.tensor(excluded).expand(draws, 5), temperature, stream(0, "test"))

    left = [i for i in range(5) if not excluded[i]]
    chance = dict.fromkeys(left, 0.0)
    for values, members in ((structure, left), (visual, [i for i in left if seen[i]])):
        power = {i: math.exp(values[i] / temperature) for i in members}
        for i in members:
            chance[i] += power[i] / sum(power.values()) / 2
    assert sum(chance.values()) == pytest.approx(1)
    found = torch.bincount(picked.place[:, 0] * 5 + picked.place[:, 1], minlength=25).view(5, 5) / draws
    for first, second in itertools.product(range(5), repeat=2):
        if first == second or excluded[first] or excluded[second]:
            assert found[first, second] == 0
            continue
        expected = chance[first] * chance[second] / (1 - chance[first])
        deviation = math.sqrt(expected * (1 - expected) / draws)
        assert abs(found[first, second].item() - expected) < 5 * deviation


@pytest.mark.parametrize("filtered", [True, False])
def test_drawn_entities_are_distinct_and_unknown(toy_graph, model, filtered):
    triples = toy_graph.train.repeat(20, 1)
    sampler = make(toy_graph, num_negatives=4, candidates=12, filtered=filtered).double()
    negatives = sampler(triples, 0, stream(0, "test"), model)
    known = {tuple(row) for row in toy_graph.train.tolist()}
    true, _ = ends(triples, negatives)
    hits = 0
    for row, (h, r, t) in enumerate(triples.tolist()):
        entities = negatives.entity[row].tolist()
        assert len(set(entities)) == 4
        assert true[row] not in entities
        hits += bool({(e, r, t) if negatives.head_side[row] else (h, r, e) for e in entities} & known)
    assert (hits == 0) == filtered


def test_a_pool_that_is_too_small_is_filled_up_with_unknown_entities(toy_graph, model):
    """12 entities, 12 negatives: at least the true one has to be replaced by another."""
    triples = toy_graph.train
    known = {tuple(row) for row in triples.tolist()}
    negatives = make(toy_graph, num_negatives=15, candidates=20).double()(triples, 0, stream(0, "test"), model)
    assert negatives.entity.shape == negatives.weight.shape == (len(triples), 15)
    for row, (h, r, t) in enumerate(triples.tolist()):
        entities = set(negatives.entity[row].tolist())
        assert not {(e, r, t) if negatives.head_side[row] else (h, r, e) for e in entities} & known
        answers = {(e, r, t) if negatives.head_side[row] else (h, r, e) for e in range(12)} & known
        assert len(entities) == 12 - len(answers)


def test_other_answers_are_uniform_over_the_known_ones(toy_graph, sampler):
    """``kind of`` leads from 2, 4 and 6 to entity 0; the only tail of 3 is entity 1."""
    draws = 9_000
    asked = torch.tensor([0, 3]).repeat(draws)
    query = Queries(asked, torch.full_like(asked, 2), asked == 0)
    found = sampler.another_answer(query, torch.full_like(asked, 11), stream(0, "test")).view(draws, 2)
    shares = (torch.bincount(found[:, 0], minlength=12) / draws).tolist()
    assert {entity for entity, share in enumerate(shares) if share} == {2, 4, 6}
    assert all(abs(shares[entity] - 1 / 3) < 0.025 for entity in (2, 4, 6))
    assert set(found[:, 1].tolist()) == {1}


def test_a_query_without_known_answers_has_the_true_one(toy_graph, sampler):
    query = Queries(torch.tensor([11]), torch.tensor([2]), torch.tensor([False]))
    assert sampler.another_answer(query, torch.tensor([7]), stream(0, "test")).tolist() == [7]


def test_a_stream_fixes_the_draws(toy_graph, sampler, model):
    before = torch.get_rng_state()
    first, again, other = (sampler(toy_graph.train, 0, stream(0, name), model) for name in ("a", "a", "b"))
    assert torch.equal(first.entity, again.entity)
    assert torch.equal(first.loss, again.loss)
    assert not torch.equal(first.entity, other.entity)
    assert torch.equal(torch.get_rng_state(), before)


def test_features_of_entities_that_lack_them_do_not_matter(toy_graph, model):
    visual = toy_graph.modalities["visual"]
    garbage = Modality(visual.features.masked_fill(~visual.present[:, None], 1e3), visual.present)
    other = dataclasses.replace(toy_graph, modalities={**toy_graph.modalities, "visual": garbage})
    clean, dirty = (make(graph).double()(toy_graph.train, 40, stream(0, "test"), model) for graph in (toy_graph, other))
    assert torch.equal(clean.entity, dirty.entity)
    torch.testing.assert_close(clean.loss, dirty.loss)


@pytest.mark.parametrize("modality", ["visual", "textual"])
def test_one_modality_is_enough(toy_graph, model, modality):
    graph = dataclasses.replace(toy_graph, modalities={modality: toy_graph.modalities[modality]})
    negatives = make(graph).double()(graph.train, 0, stream(0, "test"), model)
    assert negatives.entity.shape == (len(graph.train), 3)
    assert negatives.loss.isfinite()


# --- learning ------------------------------------------------------------------------------------------------------


def test_contrastive_loss_is_that_of_the_formula():
    generator = stream(0, "test")
    pool = [[[0.1, -0.4, 0.8], [0.5, 0.2, -0.9]], [[0.3, 0.6, -0.2], [-0.7, 0.4, 0.1]]]
    answer = [[0.9, 0.2], [0.7, -0.3]]
    pool_known = torch.tensor([[[True] * 3] * 2, [[True, False, True], [False, False, True]]])
    answer_known = [[True, True], [True, True]]
    excluded = torch.tensor([[False, True, False], [False, False, True]])
    views = [
        Similarity(torch.tensor(pool[v]), pool_known[v], torch.tensor(answer[v]), torch.tensor(answer_known[v]))
        for v in range(2)
    ]

    def term(v, row):
        others = [math.exp(pool[v][row][c]) for c in range(3) if pool_known[v, row, c] and not excluded[row, c]]
        return math.log(sum(others)) - answer[v][row]

    # the second query has no candidate left in the second view
    expected = ((term(0, 0) + term(0, 1)) / 2 + term(1, 0)) / 2
    assert contrastive_loss(views, excluded).item() == pytest.approx(expected, rel=1e-6)
    unanswered = views[0]._replace(answer_known=torch.tensor([False, True]))
    assert contrastive_loss([unanswered], excluded).item() == pytest.approx(term(0, 1), rel=1e-6)
    noise = torch.rand(2, 3, generator=generator, requires_grad=True)
    nothing = Similarity(noise, pool_known[0], noise[:, 0], torch.tensor([True, True]))
    loss = contrastive_loss([nothing], torch.ones_like(excluded))
    loss.backward()
    assert loss == 0
    assert noise.grad.tolist() == [[0] * 3] * 2


def gradients(module):
    return {name for name, p in module.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}


@pytest.mark.parametrize("path", ["weight", "loss"])
def test_gradients_reach_the_whole_sampler_and_never_the_model(toy_graph, sampler, model, path):
    negatives = sampler(toy_graph.train.repeat(4, 1), 0, stream(0, "test"), model)
    assert negatives.weight.eq(1).all()
    target = negatives.loss
    if path == "weight":
        penalty = torch.rand(negatives.weight.shape, generator=stream(0, "penalty"), dtype=torch.float64)
        target = (penalty * negatives.weight).sum()
    target.backward()
    assert gradients(sampler) == {name for name, _ in sampler.named_parameters()}
    assert not gradients(model)


def test_the_weights_gradient_lowers_the_share_of_what_costs_most(toy_graph):
    """The derivative of a weight is that of a softmax over the perturbed candidates."""
    similarity = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
    everything = torch.ones(1, 4, dtype=torch.bool)
    view = Similarity(similarity, everything, similarity[:, 0], everything[:, 0])
    sampler = make(toy_graph, num_negatives=4, candidates=4)
    picked = sampler.pick([view], ~everything, 1.0, stream(0, "test"))
    share = torch.empty_like(picked.share).scatter(1, picked.place, picked.share)[0]
    (gradient,) = torch.autograd.grad(share[2], similarity)
    assert picked.share.sum().item() == pytest.approx(1)
    q = share.tolist()
    assert gradient[0].tolist() == pytest.approx([q[2] * ((i == 2) - q[i]) for i in range(4)])


def module_of(graph, *overrides):
    config = OmegaConf.to_container(composed(*overrides), resolve=False)
    return build_module(config, graph)


def train(module, folder, batches):
    trainer = pl.Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=1,
        limit_train_batches=batches,
        limit_val_batches=0,
    )
    trainer.fit(module, TripleDataModule(module.graph, batch_size=8, seed=module.seed))
    return trainer.callback_metrics


def snapshot(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


@pytest.mark.parametrize("scorer", ["transe", "distmult", "rotate"])
@pytest.mark.parametrize("reciprocal", ["false", "true"])
def test_a_training_step_moves_sampler_and_model(toy_graph, tmp_path, scorer, reciprocal):
    module = module_of(toy_graph, f"model={scorer}", "negatives=mmrns", f"reciprocal={reciprocal}")
    before = snapshot(module)
    metrics = train(module, tmp_path, 2)
    assert {"train/loss_kgc", "train/loss_sampler"} <= set(metrics)
    moved = {name for name, value in snapshot(module).items() if not torch.equal(value, before[name])}
    assert {name.split(".")[0] for name in moved} == {"model", "sampler"}
    assert {name for name in before if name.startswith("sampler")} <= moved
    assert all(value.isfinite().all() for value in snapshot(module).values())


def test_the_model_does_not_follow_the_samplers_loss(toy_graph, tmp_path):
    """After one step the model is the same however much the contrastive loss weighs; the sampler is not."""
    states = []
    for weight in (0.0, 1000.0):
        module = module_of(toy_graph, "model=mmrns", f"negatives.contrastive={weight}")
        train(module, tmp_path, 1)
        states.append(snapshot(module))
    differing = {name for name in states[0] if not torch.equal(states[0][name], states[1][name])}
    assert differing
    assert {name.split(".")[0] for name in differing} == {"sampler"}


@pytest.mark.parametrize(("model", "negatives"), [("dhns", "mmrns"), ("mans", "mans"), ("vbkgc", "twins")])
def test_multimodal_models_take_a_step(toy_graph, tmp_path, model, negatives):
    module = module_of(toy_graph, f"model={model}", f"negatives={negatives}")
    assert all(value.isfinite() for value in train(module, tmp_path, 2).values())


def test_widths_come_from_the_models_scorer(toy_graph):
    module = module_of(toy_graph, "model=mmrns", "scorer.dim=7")
    gate = module.sampler.attention.gates["structure"]
    assert (gate.in_features, gate.out_features) == (7, 14)


def test_bad_settings_are_refused(toy_graph):
    with pytest.raises(InputError, match=r"negatives=mmrns .* toy has no modality"):
        make(dataclasses.replace(toy_graph, modalities={}))
    with pytest.raises(InputError, match=r"negatives.candidates is 2; expected at least .* 3"):
        make(toy_graph, candidates=2)
    with pytest.raises(InputError, match=r"negatives.exploration is 0"):
        make(toy_graph, exploration=0.0)


def test_a_unimodal_model_is_fine(toy_graph):
    scorer = RotatE(dim=4)
    model = KGEModel(StructuralEncoder(toy_graph, scorer), scorer, 3)
    negatives = make(toy_graph, scorer)(toy_graph.train, 7, stream(0, "test"), model)
    assert negatives.views is None
    assert negatives.entity.shape == (len(toy_graph.train), 3)
