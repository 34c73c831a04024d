"""The generator's chances and gradients, against formulas in plain Python."""

import functools
import math

import pytest
import torch
from torch import nn

from dhns.errors import InputError
from dhns.negatives.kbgan import KBGAN
from dhns.optim.optimization import Optimization
from dhns.randomness import stream
from dhns.scorers.distmult import DistMult

ADAM = Optimization(functools.partial(torch.optim.Adam, lr=0.05))


class Critic(nn.Module):
    """A discriminator that scores an entity by a table."""

    def __init__(self, scores):
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(scores, dtype=torch.float32))

    def score_candidates(self, queries, candidates):
        return self.scores[candidates]


CRITIC = [0.3 * entity - 2 for entity in range(12)]


def make(graph, seed=0, **settings):
    torch.manual_seed(seed)
    return KBGAN(graph, DistMult(3, init_range=1.5), ADAM, **settings)


def offer(sampler, candidates):
    """Let the sampler draw these candidates ``(B, N C)`` only."""
    sampler.draw = lambda queries, count, rng: torch.tensor(candidates)


def logit(sampler, triple, head_side, candidate):
    """DistMult with a candidate in the place of the head or the tail."""
    entities, relations = sampler.generator_model.encoder.structure.tolist(), sampler.generator_model.relations.tolist()
    observed = entities[triple[2] if head_side else triple[0]]
    return sum(e * r * c for e, r, c in zip(observed, relations[triple[1]], entities[candidate], strict=True))


def chances(sampler, triple, head_side, candidates):
    weights = [math.exp(logit(sampler, triple, head_side, candidate)) for candidate in candidates]
    return [weight / sum(weights) for weight in weights]


def test_negatives_follow_the_softmax_of_the_generator(toy_graph):
    sampler, draws = make(toy_graph, num_negatives=2, candidates=3), 20_000
    offer(sampler, [[4, 7, 9, 10, 11, 5]] * draws)
    triple = (2, 2, 0)
    negatives = sampler(torch.tensor([triple] * draws), 0, stream(0, "test"), Critic(CRITIC))
    for head_side in (False, True):
        for column, offered in enumerate(([4, 7, 9], [10, 11, 5])):
            drawn = negatives.entity[negatives.head_side == head_side, column]
            assert len(drawn) > 1000
            expected = chances(sampler, triple, head_side, offered)
            assert max(expected) - min(expected) > 0.1, "not uniform, or this test shows little"
            for entity, p in zip(offered, expected, strict=True):
                share = (drawn == entity).double().mean().item()
                assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / len(drawn))


def test_the_gradient_is_that_of_reinforce(toy_graph):
    sampler = make(toy_graph, num_negatives=2, candidates=3)
    sampler.baseline.fill_(0.4)
    triples, offered = [(2, 2, 0), (3, 1, 2)], [[4, 7, 9, 10, 11, 5], [8, 1, 6, 4, 0, 11]]
    offer(sampler, offered)
    negatives = sampler(torch.tensor(triples), 0, stream(0, "test"), Critic(CRITIC))
    negatives.loss.backward()
    entities, relations = sampler.generator_model.encoder.structure, sampler.generator_model.relations
    entity_gradient = [[0.0] * 3 for _ in range(12)]
    relation_gradient = [[0.0] * 3 for _ in range(3)]
    loss = 0.0
    for b, (triple, head_side) in enumerate(zip(triples, negatives.head_side.tolist(), strict=True)):
        observed = triple[2] if head_side else triple[0]
        for n in range(2):
            candidates = offered[b][3 * n : 3 * n + 3]
            p = chances(sampler, triple, head_side, candidates)
            chosen = candidates.index(negatives.entity[b, n].item())
            advantage = CRITIC[candidates[chosen]] - 0.4
            loss -= advantage * math.log(p[chosen]) / 4
            for c, candidate in enumerate(candidates):
                # ascent on reward: d(-A log p_chosen) / d(logit_c) = -A (1[c = chosen] - p_c)
                slope = -advantage * ((c == chosen) - p[c]) / 4
                for i in range(3):
                    e, r, x = (v[i].item() for v in (entities[observed], relations[triple[1]], entities[candidate]))
                    entity_gradient[candidate][i] += slope * e * r
                    entity_gradient[observed][i] += slope * r * x
                    relation_gradient[triple[1]][i] += slope * e * x
    assert negatives.loss.item() == pytest.approx(loss, rel=1e-4)
    torch.testing.assert_close(entities.grad, torch.tensor(entity_gradient), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(relations.grad, torch.tensor(relation_gradient), atol=1e-6, rtol=1e-4)


def test_the_baseline_is_a_moving_average_from_the_first_batch_on(toy_graph):
    sampler, critic = make(toy_graph, num_negatives=3, decay=0.9), Critic(CRITIC)
    baseline = None
    for step in range(4):
        negatives = sampler(toy_graph.train, step, stream(0, "test", step), critic)
        rewards = [CRITIC[entity] for row in negatives.entity.tolist() for entity in row]
        mean = sum(rewards) / len(rewards)
        baseline = mean if baseline is None else 0.9 * baseline + 0.1 * mean
        assert sampler.baseline.item() == pytest.approx(baseline, abs=1e-5)


def test_equal_rewards_teach_nothing(toy_graph):
    sampler = make(toy_graph, num_negatives=3)
    for step in range(2):
        sampler(toy_graph.train, step, stream(0, "test", step), Critic([7.0] * 12)).loss.backward()
    assert sampler.generator_model.encoder.structure.grad.abs().max() < 1e-5


def test_training_raises_the_chance_of_what_the_discriminator_scores_high(toy_graph):
    sampler, critic = (
        make(toy_graph, num_negatives=4, candidates=6),
        Critic([4.0 if e == 11 else 0.0 for e in range(12)]),
    )
    optimizer = ADAM.configure(sampler.parameters())["optimizer"]
    shares = []
    for step in range(120):
        negatives = sampler(toy_graph.train, step, stream(0, "test", step), critic)
        optimizer.zero_grad()
        negatives.loss.backward()
        optimizer.step()
        shares.append((negatives.entity == 11).double().mean().item())
    early, late = sum(shares[:10]) / 10, sum(shares[-10:]) / 10
    assert late > 2 * early
    assert critic.scores.grad is None, "the discriminator does not learn from the generator's loss"


def test_the_generator_and_its_baseline_are_the_state(toy_graph):
    sampler, other, critic = make(toy_graph), make(toy_graph, seed=1), Critic(CRITIC)
    sampler(toy_graph.train, 0, stream(0, "test"), critic)
    assert {name.split(".")[0] for name in sampler.state_dict()} == {"generator_model", "baseline"}
    other.load_state_dict(sampler.state_dict())
    first, second = (s(toy_graph.train, 1, stream(0, "test", 1), critic) for s in (sampler, other))
    assert torch.equal(first.entity, second.entity)
    assert torch.equal(first.loss, second.loss)
    assert torch.equal(sampler.baseline, other.baseline)


@pytest.mark.parametrize(("name", "value"), [("candidates", 1), ("decay", 1.0), ("decay", -0.1), ("num_negatives", 0)])
def test_numbers_out_of_range_are_refused(toy_graph, name, value):
    with pytest.raises(InputError, match=f"negatives.{name} is {value}"):
        make(toy_graph, **{name: value})


def test_a_generator_that_has_diverged_is_told(toy_graph):
    sampler = make(toy_graph)
    with torch.no_grad():
        for parameter in sampler.generator_model.parameters():
            parameter.fill_(1e30)
    with pytest.raises(InputError, match="the generator of KBGAN has diverged"):
        sampler(toy_graph.train, 0, stream(0, "negatives"), Critic(CRITIC))
