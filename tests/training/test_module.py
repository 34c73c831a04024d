"""One training step: who learns from what, and that every shipped combination takes it."""

import copy
import dataclasses
import logging
import math

import pytest
import pytorch_lightning as pl
import torch
from torch.nn.functional import cross_entropy

from dhns.errors import InputError
from dhns.generators.gaussian import GaussianNegatives
from dhns.graph.queries import Queries, answers
from dhns.models.batch import Negatives, embed_queries, score_negatives
from dhns.negatives.sampler import NegativeSampler
from dhns.optim.optimization import Optimization
from dhns.resources import conf_dir

SCORERS = ("transe", "rotate", "distmult", "complex")


def options(group):
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


GENERATORS = ("paper", "reference", "default", "gaussian", "none")


def snapshot(module):
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def changed(before, after):
    """Which of ``model`` and ``generator`` have a parameter that differs."""
    return {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}


class Watch(pl.Callback):
    """Before each optimizer's step: parameters, and the parts of the module that have a gradient."""

    def __init__(self):
        self.states, self.with_gradient = [], []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.states.append(snapshot(pl_module))
        parts = {name.split(".")[0] for name, p in pl_module.named_parameters() if p.grad is not None and p.grad.any()}
        self.with_gradient.append(parts)

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.states.append(snapshot(pl_module))


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("scorer", SCORERS)
def test_every_combination_takes_a_step(make_module, step, scorer, generator):
    module = make_module(f"scorer={scorer}", f"generator={generator}")
    before = snapshot(module)
    metrics = step(module).callback_metrics
    assert {"train/loss", "train/loss_kgc"} <= set(metrics)
    assert ("train/loss_generated" in metrics) == (generator != "none")
    assert ("train/loss_diffusion" in metrics) == (generator not in ("none", "gaussian"))
    assert all(value.isfinite() for value in metrics.values())
    after = snapshot(module)
    assert all(value.isfinite().all() for value in after.values())
    assert changed(before, after) == ({"model"} if generator in ("none", "gaussian") else {"model", "generator"})
    assert module.batches_seen == 1


@pytest.mark.parametrize("scorer", [name for name in options("scorer") if name not in SCORERS])
def test_diffheg_generates_for_every_scorer(make_module, step, scorer):
    # batch normalisation fits reciprocal relations only, and a generator asks both sides of one relation
    module = make_module(f"scorer={scorer}", *(["scorer.normalize=false"] if scorer == "tucker" else []))
    before = snapshot(module)
    metrics = step(module).callback_metrics
    assert metrics["train/loss_generated"].isfinite()
    assert metrics["train/loss_diffusion"].isfinite()
    assert changed(before, snapshot(module)) == {"model", "generator"}


@pytest.mark.parametrize("negatives", [name for name in options("negatives") if name != "all"])
@pytest.mark.parametrize("scorer", ["transe", "distmult", "rotate"])
def test_samplers_and_scorers_are_interchangeable(make_module, step, scorer, negatives):
    encoder = "attention_fusion" if negatives in ("mans", "twins") else "structural"  # those that swap views
    module = make_module(f"scorer={scorer}", f"negatives={negatives}", f"encoder={encoder}", "generator=none")
    before = snapshot(module)
    assert step(module).callback_metrics["train/loss"].isfinite()
    learns = negatives in ("kbgan", "mmrns", "grounded")
    assert changed(before, snapshot(module)) == ({"model", "sampler"} if learns else {"model"})


@pytest.mark.parametrize("model", ["transe", "rotate", "distmult", "complex"])
def test_unimodal_models_take_a_step(make_module, step, model):
    module = make_module(f"model={model}")
    assert module.generator is None
    assert step(module).callback_metrics["train/loss"].isfinite()


@pytest.mark.parametrize(
    "ablation", ["no_mhld", "no_hal", "no_ntat", "single_level", "levels_reversed", "no_mmc", "gaussian", "no_diffheg"]
)
def test_ablations_take_a_step(make_module, step, ablation):
    assert step(make_module(f"ablation={ablation}")).callback_metrics["train/loss"].isfinite()


@pytest.mark.parametrize(
    "override", ["regularizer=n3", "negatives=uniform", "encoder.train_features=true", "generator.model.copies=2"]
)
def test_options_take_a_step(make_module, step, override):
    assert step(make_module(override)).callback_metrics["train/loss"].isfinite()


def test_regulariser_adds_its_penalty(make_module, step):
    plain, penalised = (make_module("model=distmult", f"regularizer={kind}") for kind in ("none", "n3"))
    penalty = penalised.regularizer(penalised.model, None, None).item()
    losses = [step(module).callback_metrics["train/loss"].item() for module in (plain, penalised)]
    assert losses[1] - losses[0] == pytest.approx(penalty, rel=1e-2)


def test_loss_is_that_of_sampled_plus_lambda_times_that_of_generated_negatives(make_module, step):
    metrics = step(make_module("generator.weight=0.7")).callback_metrics
    parts = metrics["train/loss_kgc"] + 0.7 * metrics["train/loss_generated"] + metrics["train/loss_own_entity"]
    torch.testing.assert_close(metrics["train/loss"], parts)


def corrupted(triples, negatives):
    """``(B, N, 3)`` triples with the head or the tail replaced."""
    rows = triples[:, None].repeat(1, negatives.entity.shape[1], 1)
    for row, entities, head_side in zip(rows, negatives.entity, negatives.head_side, strict=True):
        row[:, 0 if head_side else 2] = entities
    return rows


@pytest.mark.parametrize("negatives", ["uniform", "bernoulli"])
@pytest.mark.parametrize("batches_seen", [0, 1])
def test_sampled_negatives_are_scored_as_the_triples_that_they_are(make_module, step, negatives, batches_seen):
    module = make_module(f"negatives={negatives}", "loss.temperature=0.5", "loss.halved=false")
    module.batches_seen = batches_seen
    model, drawn = copy.deepcopy(module.model), []
    module.sampler.register_forward_hook(lambda _, args, output: drawn.append((args[0], output)))
    found = step(module).callback_metrics["train/loss_kgc"].item()
    ((triples, sampled),) = drawn
    positive = model.score_triples(triples)
    negative = model.score_triples(corrupted(triples, sampled).flatten(0, 1)).view_as(sampled.entity)
    penalties = (0.5 * negative).softmax(1) * -(-negative).sigmoid().log()
    expected = -positive.sigmoid().log().mean() + penalties.sum(1).mean()
    assert found == pytest.approx(expected.item(), rel=1e-4)


def test_every_use_of_chance_in_every_step_has_a_stream_of_its_own(make_module, fit):
    module = make_module()
    seeds = []

    def record(function):
        def recorded(*args):
            seeds.extend(arg.initial_seed() for arg in args if isinstance(arg, torch.Generator))
            return function(*args)

        return recorded

    module.sampler.forward = record(module.sampler.forward)
    module.generator.loss = record(module.generator.loss)
    module.generator.sample = record(module.generator.sample)
    fit(module, max_epochs=2, limit_val_batches=0)
    assert len(seeds) == 3 * 6
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("detach", [True, False])
def test_gradients_of_the_diffusion_loss(make_module, step, detach):
    watch = Watch()
    step(make_module(f"generator.model.detach_inputs={str(detach).lower()}"), [watch])
    of_generator_step, of_model_step = watch.with_gradient
    assert of_generator_step == ({"generator"} if detach else {"generator", "model"})
    assert "model" in of_model_step


def test_leaked_gradients_add_to_those_of_the_model(make_module, step):
    """With ``detach_inputs=false`` the model's step sees the diffusion loss too, from the same backward pass."""

    class Gradients(pl.Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            self.last = pl_module.model.relations.grad
            self.seen = [*getattr(self, "seen", []), None if self.last is None else self.last.clone()]

    with_leak, without = Gradients(), Gradients()
    for callback, detach in ((with_leak, "false"), (without, "true")):
        step(make_module(f"generator.model.detach_inputs={detach}", "generator.weight=0.0"), [callback])
    leaked, total = with_leak.seen
    nothing, own = without.seen
    assert nothing is None
    torch.testing.assert_close(total - leaked, own, rtol=1e-4, atol=1e-6)


def test_gradients_of_the_last_step_are_cleared(make_module, step):
    class Stale(pl.Callback):
        largest = 0.0

        def on_train_batch_start(self, trainer, pl_module, *_):
            for p in pl_module.parameters():
                p.grad = torch.full_like(p, 1e9)

        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            own = [p.grad.abs().max().item() for group in optimizer.param_groups for p in group["params"]]
            self.largest = max(self.largest, *own)

    stale = Stale()
    step(make_module(), [stale])
    assert 0 < stale.largest < 1e6


@pytest.mark.parametrize("generator", ["default", "paper", "reference"])
def test_each_optimizer_steps_its_own_parameters(make_module, step, generator):
    watch = Watch()
    step(make_module(f"generator={generator}"), [watch])
    start, between, end = watch.states
    assert changed(start, between) == {"generator"}
    assert changed(between, end) == {"model"}


def test_between_batches_with_generated_negatives_the_step_is_that_of_none(make_module, fit):
    """The epoch begins with one that has them; in those between, the generator neither learns nor generates."""

    class Batches(pl.Callback):
        def __init__(self):
            self.changed, self.losses, self.before = [], [], None

        def on_train_batch_start(self, trainer, pl_module, *_):
            self.before = snapshot(pl_module)

        def on_train_batch_end(self, trainer, pl_module, outputs, *_):
            self.changed.append(changed(self.before, snapshot(pl_module)))
            self.losses.append(outputs["loss"].item())

    often, seldom = Batches(), Batches()
    module = make_module("generator.every=2")
    generate, positives = module.generator.generate, []
    module.generator.generate = lambda *args: positives.append(args[0]) or generate(*args)
    fit(module, [seldom], max_epochs=2, limit_train_batches=3, limit_val_batches=0)
    fit(make_module(), [often], limit_train_batches=2, limit_val_batches=0)
    both = {"model", "generator"}
    assert seldom.changed == [both, {"model"}, both] * 2
    assert len(positives) == 4
    assert often.changed == [both, both]
    assert seldom.losses[0] == often.losses[0]
    assert seldom.losses[1] < often.losses[1]  # a term less, of the same model and negatives


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("train_features", [False, True])
def test_optimizers_share_nothing_and_miss_nothing(make_module, generator, train_features):
    module = make_module(f"generator={generator}", f"encoder.train_features={str(train_features).lower()}")
    owned = [
        {id(p) for group in c["optimizer"].param_groups for p in group["params"]} for c in module.configure_optimizers()
    ]
    assert len(owned) == (1 if generator in ("none", "gaussian") else 2)
    assert sum(map(len, owned)) == len(set().union(*owned))
    assert set().union(*owned) == {id(p) for p in module.parameters() if p.requires_grad}
    assert owned[0] == {id(p) for p in module.model.parameters()}
    features = {id(module.model.encoder.features[name].features) for name in module.graph.modalities}
    assert features <= owned[0] if train_features else features.isdisjoint(owned[0])


def test_learning_rates_are_separate(make_module):
    module = make_module("optimization.optimizer.lr=0.25", "generator.optimization.optimizer.lr=0.125")
    assert [c["optimizer"].param_groups[0]["lr"] for c in module.configure_optimizers()] == [0.25, 0.125]


def test_gradients_are_clipped_per_optimizer(make_module, step):
    class Norms(pl.Callback):
        def __init__(self):
            self.norms = []

        def on_train_batch_end(self, trainer, pl_module, *_):
            for part in (pl_module.model, pl_module.generator):
                squares = sum(p.grad.square().sum().item() for p in part.parameters() if p.grad is not None)
                self.norms.append(squares**0.5)

    norms = Norms()
    step(make_module("optimization.clip_norm=1e-3", "generator.optimization.clip_norm=null"), [norms])
    assert norms.norms[0] == pytest.approx(1e-3, rel=1e-3)
    assert norms.norms[1] > 1e-2


def test_schedules_step_once_per_epoch(make_module, fit):
    schedule = "{_target_: torch.optim.lr_scheduler.ExponentialLR, _partial_: true, gamma: 0.5}"
    rates = "optimization.optimizer.lr=0.25", "generator.optimization.optimizer.lr=0.125"
    module = make_module(f"optimization.scheduler={schedule}", "generator.optimization.scheduler=null", *rates)
    fit(module, max_epochs=2)
    assert [optimizer.param_groups[0]["lr"] for optimizer in module.optimizers()] == [0.25 * 0.5**2, 0.125]


def test_every_level_of_the_default_has_a_gradient(make_module, step, caplog):
    module = make_module("generator=default")
    with caplog.at_level(logging.WARNING, logger="dhns"):
        step(module)
    report = module.diagnostics.report
    assert report["sampled/gradient"] > 0
    assert all(report[f"level_{level.time:g}/gradient"] > 0 for level in module.generator.levels if level.weight > 0)


@pytest.fixture
def far_away(monkeypatch):
    """Negatives a thousand times too long."""
    sample = GaussianNegatives.sample
    monkeypatch.setattr(GaussianNegatives, "sample", lambda *args: 1000 * sample(*args))


@pytest.mark.usefixtures("far_away")
def test_levels_too_far_away_are_reported_dead_once(make_module, fit, caplog):
    module = make_module("generator=gaussian")
    with caplog.at_level(logging.WARNING, logger="dhns.training.diagnostics"):
        fit(module, max_epochs=2, limit_train_batches=1, limit_val_batches=0)
    warnings = [r.getMessage() for r in caplog.records if r.name == "dhns.training.diagnostics"]
    levels = [level for level in module.generator.levels if level.weight > 0]
    assert len(warnings) == len(levels)
    for level, warning in zip(levels, warnings, strict=True):
        assert warning.startswith(f"hardness level {level.time:g} is dead in epoch 0")
        assert module.diagnostics.report[f"level_{level.time:g}/gradient"] == 0


def test_living_levels_are_not_reported_dead(make_module, step, caplog):
    with caplog.at_level(logging.WARNING, logger="dhns.training.diagnostics"):
        step(make_module("generator=gaussian"))
    assert not caplog.records


def test_views_that_no_positive_of_the_step_has_are_left_out_of_the_report(make_module, step):
    module = make_module("generator=gaussian")
    ring = module.graph.train[:, 1] == 0  # links an entity with an image to one without
    module.graph = dataclasses.replace(module.graph, train=module.graph.train[ring])
    step(module)
    report = module.diagnostics.report
    level = f"level_{module.generator.levels[0].time:g}"
    assert f"{level}/textual/score" in report
    assert f"{level}/visual/score" not in report
    assert all(map(math.isfinite, report.values()))


def test_report_is_of_the_generated_negatives(make_module, step):
    module = make_module("generator=gaussian")
    step(module)
    report = module.diagnostics.report
    for level in module.generator.levels:
        assert -1 <= report[f"level_{level.time:g}/structure/cosine"] <= 1
    shares = [report[f"level_{level.time:g}/loss_share"] for level in module.generator.levels]
    assert 0 < sum(shares) < 1


def test_the_same_seed_gives_the_same_model(make_module):
    first, again, other = make_module(), make_module(), make_module("seed=4")
    for name, value in snapshot(first).items():
        assert torch.equal(value, snapshot(again)[name])
    assert changed(snapshot(first), snapshot(other)) == {"model", "generator"}


def test_the_model_starts_the_same_without_a_generator(make_module):
    with_generator, without = snapshot(make_module()), snapshot(make_module("ablation=no_diffheg"))
    assert without
    assert all(torch.equal(value, with_generator[name]) for name, value in without.items())


def test_the_generator_starts_the_same_whatever_the_model_drew(make_module):
    modules = [
        make_module(f"encoder={e}", "generator.model.multimodal=false") for e in ("structural", "attention_fusion")
    ]
    first, second = (snapshot(module.generator) for module in modules)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_ablations_draw_the_same_batches_and_negatives(make_module, fit):
    draws = {}
    for ablation in ("none", "no_diffheg", "gaussian"):
        module = make_module(f"ablation={ablation}")
        seen = draws[ablation] = []
        module.sampler.register_forward_hook(
            lambda _, args, output, seen=seen: seen.extend([args[0], output.entity, output.head_side])
        )
        fit(module, max_epochs=2, limit_val_batches=0)
    assert not torch.equal(draws["none"][0], draws["none"][9]), "each epoch has an order of its own"
    assert len(draws["none"]) == 2 * 3 * 3  # epochs, batches, and of each the triples, the entities and the sides
    for ablation in ("no_diffheg", "gaussian"):
        assert all(torch.equal(a, b) for a, b in zip(draws["none"], draws[ablation], strict=True))


def test_validation_is_the_filtered_mean_reciprocal_rank(make_module, fit):
    module = make_module()
    found = fit(module).callback_metrics["valid/mrr"]
    graph = module.graph
    known = set(map(tuple, graph.triples("train", "valid", "test").tolist()))

    def score(triple):
        return module.model.score_triples(torch.tensor([triple])).item()

    reciprocal = []
    for h, r, t in graph.valid.tolist():
        for corrupted in ([(h, r, e) for e in range(12)], [(e, r, t) for e in range(12)]):
            rivals = [score(triple) for triple in corrupted if triple not in known]
            reciprocal.append(1 / (1 + sum(rival > score((h, r, t)) for rival in rivals)))
    assert found == pytest.approx(sum(reciprocal) / len(reciprocal))
    assert module._table is None, "the encoded table is dropped: training goes on"


def test_score_all_is_that_of_the_model(make_module):
    module = make_module()
    queries = Queries.of(module.graph.valid, torch.tensor([False, True, False]))
    torch.testing.assert_close(module.score_all(queries), module.model.score_all(queries))


@pytest.mark.parametrize("encoder", ["structural", "attention_fusion"])
def test_ranking_leaves_nothing_in_the_state(make_module, encoder):
    module = make_module(f"encoder={encoder}", "generator=none")
    before = set(module.state_dict())
    module.on_validation_epoch_start()
    assert set(module.state_dict()) == before


ALL_ENTITIES = "negatives=all", "loss=softmax"


@pytest.mark.parametrize("model", ["complex_n3", "distmult_n3"])
def test_strong_baselines_take_a_step(make_module, step, model):
    module = make_module(f"model={model}")
    before = snapshot(module)
    assert step(module).callback_metrics["train/loss"].isfinite()
    assert module.sampler is None
    assert changed(before, snapshot(module)) == {"model"}


@pytest.mark.parametrize("model", ["complex_n3", "distmult_n3"])
def test_strong_baselines_learn_the_ring(make_module, fit, model):
    metrics = fit(make_module(f"model={model}"), max_epochs=150, check_val_every_n_epoch=150).callback_metrics
    assert metrics["train/loss_kgc"] < 1.5 < math.log(12)


def test_a_softmax_is_over_all_entities(make_module, step):
    module = make_module("scorer=distmult", "encoder=structural", "generator=none", "own_entity=false", *ALL_ENTITIES)
    with torch.no_grad():
        module.model.relations.zero_()  # all scores are equal
    assert step(module).callback_metrics["train/loss_kgc"].item() == pytest.approx(math.log(12), rel=1e-5)


def test_generated_negatives_go_with_a_loss_over_all_entities(make_module, step):
    module = make_module("scorer=distmult", *ALL_ENTITIES)
    before = snapshot(module)
    metrics = step(module).callback_metrics
    assert {"train/loss_kgc", "train/loss_generated", "train/loss_diffusion"} <= set(metrics)
    assert changed(before, snapshot(module)) == {"model", "generator"}


@pytest.mark.parametrize("overrides", [("negatives=all",), ("loss=softmax",)])
def test_losses_over_all_entities_and_samplers_exclude_each_other(make_module, overrides):
    with pytest.raises(InputError, match="negatives=all"):
        make_module(*overrides)


@pytest.mark.parametrize("generator", ["default", "partition"])
@pytest.mark.parametrize("scorer", ["complex", "distmult", "rotate", "tucker"])
@pytest.mark.parametrize("reciprocal", [True, False])
def test_generated_negatives_on_the_strong_objective(make_module, step, generator, scorer, reciprocal):
    own = ["scorer.normalize=false"] if scorer == "tucker" and not reciprocal else []
    module = make_module(
        f"scorer={scorer}", f"generator={generator}", f"reciprocal={str(reciprocal).lower()}", *own, *ALL_ENTITIES
    )
    before = snapshot(module)
    metrics = step(module).callback_metrics
    assert metrics["train/loss_generated"] > 0
    assert changed(before, snapshot(module)) == {"model", "generator"}


def test_in_the_partition_the_loss_is_a_softmax_with_the_generated_candidates(make_module, step):
    module = make_module("generator=partition", "scorer=complex", "reciprocal=true", *ALL_ENTITIES)
    seen = {}

    def keep(generated, encoder, scorer):
        seen["scores"] = type(module.hardness_loss).score(module.hardness_loss, generated, encoder, scorer)
        return seen["scores"]

    module.hardness_loss.score = keep
    embed = module._score_everything

    def look(batch):
        triples, head_side = batch.triples, batch.head_side
        queries, answer = Queries.of(triples, head_side), answers(triples, head_side)
        seen["all"], seen["answer"] = module.model.score_all(queries).detach(), answer
        seen["side"] = head_side
        return embed(batch)

    module._score_everything = look
    found = step(module).callback_metrics["train/loss"]
    weight = torch.tensor([level.weight for level in module.generator.levels])
    generated = seen["scores"].score.detach()[:, seen["side"].long(), torch.arange(len(seen["side"]))]
    candidates = torch.cat([seen["all"], (generated + weight.log()[:, None]).T], dim=1)
    torch.testing.assert_close(found, cross_entropy(candidates, seen["answer"]))


def test_heads_are_generated_and_asked_for_by_the_reciprocal_relation(make_module, toy_graph):
    module = make_module("scorer=complex", "reciprocal=true", *ALL_ENTITIES)
    triples = toy_graph.train[:4]
    batch, _ = embed_queries(module.model, triples, torch.zeros(4, dtype=torch.bool))
    positives = batch.positives()
    table = module.model.relation_table()
    forth, back = positives.asking(module.model.scorer)
    torch.testing.assert_close(forth, table[triples[:, 1]])
    torch.testing.assert_close(back, table[triples[:, 1] + toy_graph.num_relations])
    condition = module.generator.condition(positives)
    view = module.generator.view_names.index("structure")
    query = module.model.scorer.query(positives.tail.views["structure"], back)
    torch.testing.assert_close(condition[view, 1], query)
    assert torch.equal(positives.first(2).reciprocal, back[:2])


class LearningSampler(NegativeSampler):
    """Always draws entity 1; learns a number by a loss of its own and by its weight."""

    def __init__(self, graph):
        super().__init__()
        self.number = torch.nn.Parameter(torch.tensor(2.0))
        self.optimization = Optimization(lambda parameters: torch.optim.SGD(parameters, lr=0.5))
        self.own_loss = True

    def forward(self, triples, step, generator, model):
        entity = torch.ones(len(triples), 1, dtype=torch.long)
        queries = Queries.of(triples, torch.zeros(len(triples), dtype=torch.bool))
        if self.own_loss:
            return Negatives(queries, entity, loss=self.number.square())
        return Negatives(queries, entity, weight=self.number.expand(len(triples), 1))


@pytest.mark.parametrize("own_loss", [True, False])
def test_a_sampler_that_learns_has_an_optimizer_of_its_own(make_module, step, own_loss, monkeypatch):
    module = make_module("generator=none", "optimization.optimizer.lr=0.0")
    module.sampler = sampler = LearningSampler(module.graph)
    sampler.own_loss = own_loss
    module.trained.append((sampler, sampler.optimization))
    before = snapshot(module)
    metrics = step(module).callback_metrics
    assert changed(before, snapshot(module)) == {"sampler"}
    if own_loss:
        assert sampler.number.item() == pytest.approx(2.0 - 0.5 * 2 * 2.0)
        assert metrics["train/loss_sampler"].item() == pytest.approx(4.0)
    else:
        assert sampler.number.item() < 2.0, "a smaller weight of the negatives is a smaller loss"


def test_lazy_adam_gets_gradients_of_the_named_entities_only(make_module, toy_graph):
    module = make_module("model=complex", "optimization=lazy_adam")
    triples, drawn = toy_graph.train[:1], torch.tensor([[3, 7]])
    _, positive, negative, _ = score_negatives(
        module.model, triples, Negatives(Queries.of(triples, torch.tensor([False])), drawn)
    )
    (positive.sum() + negative.sum()).backward()
    gradient = module.model.encoder.structure.grad
    assert gradient.is_sparse
    assert gradient.coalesce().indices()[0].tolist() == sorted({*triples[0, [0, 2]].tolist(), 3, 7})


def test_a_step_with_lazy_adam(make_module, step):
    module = make_module("model=complex", "optimization=lazy_adam", "negatives.num_negatives=1")
    before = snapshot(module)
    step(module)
    assert {name for name, value in snapshot(module).items() if not torch.equal(value, before[name])} == {
        "model.encoder.structure",
        "model.own_entity.learned",
        "model.relations",
    }
