"""How often uniform and Bernoulli sampling draw what; `tests/testing` holds every sampler to its contract."""

import math

import pytest
import torch
from omegaconf import OmegaConf

from builders import composed
from dhns.graph.knowledge_graph import KnowledgeGraph, Vocabulary
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.negatives.uniform import UniformSampler
from dhns.randomness import stream
from dhns.resources import conf_dir
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


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_sampler_that_learns_has_an_optimizer_of_its_own(name, toy_graph):
    config = OmegaConf.to_container(configured_by(name), resolve=False)
    module = build_module(config, toy_graph)
    assert len(module.configure_optimizers()) == 1 + (module.sampler.optimization is not None)


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
