"""What samplers may draw, how often, and that a stream fixes it."""

import copy
import math

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from builders import composed
from dhns.encoders.attention_fusion import AttentionFusion
from dhns.encoders.structural import StructuralEncoder
from dhns.graph.knowledge_graph import KnowledgeGraph, Vocabulary
from dhns.models.kge_model import KGEModel
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.negatives.uniform import UniformSampler
from dhns.randomness import stream
from dhns.resources import conf_dir
from dhns.scorers.complex import ComplEx
from dhns.scorers.distmult import DistMult
from dhns.scorers.rotate import RotatE
from dhns.scorers.transe import TransE
from dhns.training.build import build_module

ENTITIES = 6
NO_MODEL = None  # these look at no model
SAMPLERS = {"uniform": UniformSampler, "bernoulli": BernoulliSampler}
CONFIGURED = sorted({path.stem for path in (conf_dir() / "negatives").glob("*.yaml")} - {"all"})


def numbered(kind, count):
    return Vocabulary(kind, *2 * (tuple(f"{kind} {i}" for i in range(count)),))


@pytest.fixture
def graph():
    """Relation 0 has three tails for its only head; relation 1 two heads for its only tail; relation 2 nothing."""
    train = torch.tensor([[0, 0, 1], [0, 0, 2], [0, 0, 3], [4, 1, 2], [5, 1, 2]])
    empty = torch.empty(0, 3, dtype=torch.int64)
    return KnowledgeGraph("hand", numbered("entity", ENTITIES), numbered("relation", 3), train, empty, empty)


@pytest.fixture(params=SAMPLERS.values(), ids=SAMPLERS.keys())
def sampler_class(request):
    return request.param


def within_five_deviations(found, probability, draws):
    return abs(found - probability) < 5 * math.sqrt(probability * (1 - probability) / draws)


# --- every sampler of conf/negatives ---------------------------------------------------------------------------------


def configured_by(name):
    """The training configuration with the sampler of a file, 50 negatives per positive, and nothing generated."""
    config = composed("ablation=no_diffheg")
    config.negatives = OmegaConf.load(conf_dir() / "negatives" / f"{name}.yaml")
    config.negatives.num_negatives = 50
    return config


@pytest.fixture(params=CONFIGURED)
def make(request, toy_graph):
    """Makes the module of a sampler's configuration, with a model of views and 50 negatives per positive."""

    def module(**settings):
        config = configured_by(request.param)
        return build_module(OmegaConf.to_container(config, resolve=False) | settings, toy_graph).train()

    return module


@pytest.fixture
def configured(make):
    return make()


def drawn(module, steps=(0, 1, 2)):
    train = module.graph.train
    return [module.sampler(train, step, stream(0, "test", step), module.model) for step in steps]


def test_shapes_and_ranges(configured):
    shape = (len(configured.graph.train), 50)
    for negatives in drawn(configured):
        assert negatives.entity.shape in (shape, (1, 50))
        assert negatives.entity.dtype == torch.int64
        assert 0 <= negatives.entity.min() <= negatives.entity.max() < configured.graph.num_entities
        assert negatives.head_side.shape == shape[:1]
        assert negatives.head_side.dtype == torch.bool
        for view in (negatives.views or {}).values():
            assert view.shape == shape
            assert 0 <= view.min() <= view.max() < configured.graph.num_entities
        assert negatives.weight is None or negatives.weight.shape == shape
        assert negatives.loss is None or (negatives.loss.shape == () and negatives.loss.isfinite())


def test_both_sides_and_several_entities_are_drawn(configured):
    negatives = drawn(configured)
    assert torch.cat([n.head_side for n in negatives]).unique().tolist() == [False, True]
    assert all(len(row.unique()) > 1 for n in negatives if n.views is None for row in n.entity)


def test_no_negative_is_a_known_training_answer(configured):
    train = configured.graph.train.tolist()
    known = {tuple(row) for row in train}
    for negatives in drawn(configured):
        views = list((negatives.views or {}).values())
        for i, ((h, r, t), head_side) in enumerate(zip(train, negatives.head_side.tolist(), strict=True)):
            shared = len(negatives.entity) == 1
            for j, entity in enumerate(negatives.entity[0 if shared else i].tolist()):
                if shared and negatives.weight[i, j] == 0:
                    continue
                if ((entity, r, t) if head_side else (h, r, entity)) in known:
                    # only the true entity itself, and only with a view of another one
                    assert entity == (h if head_side else t)
                    assert any(view[i, j] != entity for view in views)


def test_a_stream_fixes_the_draws_of_equal_samplers(make):
    configured, twin = make(), make()
    for first, second in zip(drawn(configured), drawn(twin), strict=True):
        assert torch.equal(first.entity, second.entity)
        assert torch.equal(first.head_side, second.head_side)
        assert (first.loss is None) == (second.loss is None)
        assert first.loss is None or torch.equal(first.loss, second.loss)
    other = twin.sampler(configured.graph.train, 0, stream(1, "test"), twin.model)
    assert not torch.equal(drawn(configured, [0])[0].entity, other.entity)


def test_a_stored_state_goes_on_as_before(make):
    configured, other = make(), make(seed=99)
    drawn(configured)
    other.load_state_dict(configured.state_dict())
    for first, second in zip(drawn(configured, [3, 4]), drawn(other, [3, 4]), strict=True):
        assert torch.equal(first.entity, second.entity)


def test_the_global_generator_is_left_alone(configured):
    before = torch.get_rng_state()
    drawn(configured)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_model_is_left_alone(configured):
    before = copy.deepcopy(configured.model.state_dict())
    for negatives in drawn(configured):
        if negatives.loss is not None:
            negatives.loss.backward()
    assert all(parameter.grad is None for parameter in configured.model.parameters())
    assert all(module.training for module in configured.model.modules())
    assert all(torch.equal(value, before[name]) for name, value in configured.model.state_dict().items())


def test_a_sampler_learns_if_and_only_if_it_says_so(configured):
    learns = [p for p in configured.sampler.parameters() if p.requires_grad]
    assert bool(learns) == (configured.sampler.optimization is not None)
    assert len(configured.configure_optimizers()) == 1 + bool(learns)


@pytest.mark.parametrize("encoder", [StructuralEncoder, AttentionFusion])
@pytest.mark.parametrize("scorer", [TransE, DistMult, ComplEx, RotatE])
@pytest.mark.parametrize("name", ["nscaching", "kbgan"])
def test_samplers_that_ask_the_model_take_any(toy_graph, name, scorer, encoder):
    scorer = scorer(dim=8)
    model = KGEModel(encoder(toy_graph, scorer), scorer, toy_graph.num_relations)
    sampler = instantiate(configured_by(name).negatives)(graph=toy_graph)
    for step in range(2):
        negatives = sampler(toy_graph.train, step, stream(0, "test", step), model)
        assert negatives.entity.shape == (len(toy_graph.train), 50)
        assert negatives.loss is None or negatives.loss.isfinite()


# --- uniform and Bernoulli sampling ----------------------------------------------------------------------------------


def test_unfiltered_negatives_may_be_training_answers(sampler_class, graph):
    sampler = sampler_class(graph, num_negatives=200, filtered=False)
    negatives = sampler(graph.train, 0, stream(0, "test"), NO_MODEL)
    assert all(set(row) == set(range(ENTITIES)) for row in negatives.entity.tolist())


def test_filtered_negatives_are_uniform_over_the_rest(graph):
    draws = 20_000
    entity = UniformSampler(graph, draws)(graph.train[:1], 0, stream(0, "test"), NO_MODEL).entity[0]
    shares = torch.bincount(entity, minlength=ENTITIES) / draws
    assert shares[[1, 2, 3]].tolist() == [0, 0, 0]
    assert all(within_five_deviations(share, 1 / 3, draws) for share in shares[[0, 4, 5]].tolist())


def test_sides_alternate_by_step(graph):
    sampler = UniformSampler(graph, 1)
    sides = [sampler(graph.train, step, stream(0, "test", step), NO_MODEL).head_side for step in range(4)]
    assert [side.unique().tolist() for side in sides] == [[False], [True], [False], [True]]


def test_random_sides_are_a_coin_per_positive(graph):
    positives = graph.train[:1].expand(20_000, 3)
    side = UniformSampler(graph, 1, sides="random")(positives, 0, stream(0, "test"), NO_MODEL).head_side
    assert within_five_deviations(side.float().mean().item(), 0.5, 20_000)


def test_bernoulli_probability_of_replacing_the_head(graph):
    # relation 0: 3 tails per head, 1 head per tail; relation 1: 1 and 2; relation 2 is unknown: a fair coin
    torch.testing.assert_close(BernoulliSampler(graph).head_probability, torch.tensor([3 / 4, 1 / 3, 1 / 2]))


@pytest.mark.parametrize(("row", "probability"), [(0, 3 / 4), (3, 1 / 3)])
def test_bernoulli_frequency_of_replacing_the_head(graph, row, probability):
    positives = graph.train[row].expand(20_000, 3)
    side = BernoulliSampler(graph, 1)(positives, 0, stream(0, "test"), NO_MODEL).head_side
    assert within_five_deviations(side.float().mean().item(), probability, 20_000)


def test_they_have_nothing_to_learn_or_store(sampler_class, toy_graph):
    assert not sampler_class(toy_graph).state_dict()
