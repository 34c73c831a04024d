"""A part that breaks a promise is told which, and what was seen."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import dropout

from dhns.encoders.attention_fusion import AttentionFusion
from dhns.encoders.structural import StructuralEncoder
from dhns.generators.gaussian import GaussianNegatives
from dhns.losses.loss import SampledLoss
from dhns.losses.margin_ranking import MarginRankingLoss
from dhns.losses.softmax import SoftmaxLoss
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.scorers.distmult import DistMult
from dhns.scorers.rotate import RotatE
from dhns.scorers.transe import TransE
from dhns.testing import check_encoder, check_generator, check_loss, check_sampler, check_scorer


def changed(base, **methods):
    """A subclass with some methods replaced."""
    return type(f"Broken{base.__name__}", (base,), methods)


def told(check, *arguments):
    with pytest.raises(AssertionError) as error:
        check(*arguments)
    return str(error.value)


SCORERS = {
    "inverse of the inverse": (RotatE, {"inverse": lambda self, relation: relation + 1}),
    "by the inverse relation": (RotatE, {"inverse": lambda self, relation: relation}),
    "score_candidates gives": (
        TransE,
        {"match_indexed": lambda self, q, table, index: TransE.match_indexed(self, q, table, index) + 1},
    ),
    "score_all gives": (TransE, {"match_all": lambda self, q, table: TransE.match_all(self, q, table).flip(1)}),
    "Gradients of match_indexed": (
        DistMult,
        {"match_indexed": lambda self, q, table, i: DistMult.match_indexed(self, q, table.detach(), i)},
    ),
    "where vectors coincide": (TransE, {"match": lambda self, q, c: self.margin - (q - c).square().sum(-1).sqrt()}),
    "under a relation of zeros": (TransE, {"query": lambda self, e, r: e + r + 0.1}),
    "no score is above": (TransE, {"match": lambda self, q, c: self.margin + (q - c).abs().sum(-1)}),
    "broadcast over leading": (DistMult, {"query": lambda self, e, r: torch.einsum("bd,bd->bd", e, r)}),
    "Condition makes": (DistMult, {"condition": lambda self, e, r, side: torch.cat([e, r], -1)}),
    "on chance": (DistMult, {"query": lambda self, e, r: dropout(e * r, 0.5)}),
    "inputs stay": (DistMult, {"match_all": lambda self, q, table: q @ table.add_(1e-8).T}),
    "rest of the batch": (DistMult, {"query": lambda self, e, r: e * r - (e * r).mean(tuple(range(e.ndim - 1)))}),
    "single precision": (DistMult, {"match": lambda self, q, c: (q.double() * c.double()).sum(-1)}),
    "Magnitudes are sizes": (DistMult, {"magnitudes": lambda self, vector: vector}),
    "inner products are match_all": (DistMult, {"factors": lambda self, q, table: (q, 2 * table)}),
    "how tables start": (DistMult, {"initial_relations": lambda self, count: torch.zeros(count, 2)}),
}


@pytest.mark.parametrize("promise", SCORERS)
def test_scorers(promise):
    base, methods = SCORERS[promise]
    text = told(check_scorer, lambda: changed(base, **methods)(3))
    assert text.startswith(f"the scorer Broken{base.__name__} breaks ")
    assert promise in text
    assert "\n  seen: " in text


def test_a_state_outside_of_the_state_dict():
    class Scaled(DistMult):
        def __init__(self, dim):
            super().__init__(dim)
            self.scale = torch.rand(dim).double()

        def query(self, entity, relation):
            return super().query(entity, relation) * self.scale.to(entity)

    assert "takes its state dict" in told(check_scorer, lambda: Scaled(3))


def test_an_exception_breaks_the_promise_that_met_it():
    text = told(check_scorer, lambda: changed(DistMult, factors=lambda *_: 1 / 0)(3))
    assert text.splitlines() == [
        "the scorer BrokenDistMult breaks 1 of 19 promises:",
        "- Factors are vectors whose inner products are match_all; where there are none, it raises InputError.",
        "  seen: ZeroDivisionError: division by zero",
    ]


def test_the_global_generator_is_put_back():
    before = torch.get_rng_state()
    check_scorer(lambda: RotatE(3))
    check_encoder(AttentionFusion)
    check_sampler(BernoulliSampler)
    check_generator(GaussianNegatives)
    check_loss(SoftmaxLoss)
    assert torch.equal(torch.get_rng_state(), before)


# --- encoders --------------------------------------------------------------------------------------------------------


class OwnsTheScorer(AttentionFusion):
    def __init__(self, graph, scorer):
        super().__init__(graph, scorer)
        self.scorer = scorer


class Noisy(AttentionFusion):
    def fuse(self, views, present):
        return super().fuse(views, present) + torch.rand(1)


class Sorting(AttentionFusion):
    def forward(self, entity=None, relations=None):
        return super().forward(None if entity is None else entity.sort().values, relations)


class LosesAlways(AttentionFusion):
    def forward(self, entity=None, relations=None):
        encoded = super().forward(entity, relations)
        return replace(encoded, loss=encoded.joint.sum())


class FusesOtherwise(AttentionFusion):
    def forward(self, entity=None, relations=None):
        encoded = super().forward(entity, relations)
        return replace(encoded, joint=encoded.joint + 1)


class ForgetsAMask(AttentionFusion):
    def forward(self, entity=None, relations=None):
        encoded = super().forward(entity, relations)
        return replace(encoded, present={"structure": encoded.present["structure"]})


class Narrow(AttentionFusion):
    def fuse(self, views, present):
        return super().fuse(views, present)[..., :4]


class CutOff(StructuralEncoder):
    def structural_view(self, entity=None):
        rows, present = super().structural_view(entity)
        return rows.detach(), present


class WritesIntoTheGraph(AttentionFusion):
    def __init__(self, graph, scorer):
        super().__init__(graph, scorer)
        for name, modality in graph.modalities.items():
            self.features[name].features = nn.Parameter(modality.features)


@pytest.mark.parametrize(
    ("encoder", "promise"),
    [
        (OwnsTheScorer, "the scorer is no part of it"),
        (Noisy, "nothing is drawn, and the same comes again"),
        (Sorting, "Selected entities, in any order"),
        (LosesAlways, "Its own loss is None in evaluation"),
        (FusesOtherwise, "Fuse makes the joint embedding"),
        (ForgetsAMask, "Views are (U, D) by name"),
        (Narrow, "the scorer takes them"),
        (CutOff, "gradients are finite and reach something"),
        (WritesIntoTheGraph, "the features of the graph stay"),
    ],
)
def test_encoders(encoder, promise):
    text = told(check_encoder, encoder)
    assert text.startswith(f"the encoder {encoder.__name__}, in epoch 0, breaks ")
    assert promise in text


# --- samplers --------------------------------------------------------------------------------------------------------


class Unfiltered(BernoulliSampler):
    def __init__(self, graph):
        super().__init__(graph, 8, filtered=False)


class AsksForTailsOnly(BernoulliSampler):
    def head_side(self, triples, step, rng):
        return torch.zeros(len(triples), dtype=torch.bool)


class DrawsElsewhere(BernoulliSampler):
    def draw(self, queries, count, rng):
        return super().draw(queries, count, torch.default_generator)


class Remembers(BernoulliSampler):
    drawn = 0

    def draw(self, queries, count, rng):
        self.drawn += 1
        return super().draw(queries, count, rng).roll(self.drawn, 1)


class TouchesTheModel(BernoulliSampler):
    def forward(self, triples, step, rng, model):
        model.eval()
        return super().forward(triples, step, rng, model)


class LearnsWithoutOptimizer(BernoulliSampler):
    def __init__(self, graph):
        super().__init__(graph, 8)
        self.taste = nn.Parameter(torch.zeros(1))


class SwapsQueries(BernoulliSampler):
    def forward(self, triples, step, rng, model):
        return super().forward(triples.flip(0), step, rng, model)


class FloatsOut(BernoulliSampler):
    def draw(self, queries, count, rng):
        return super().draw(queries, count, rng) + self.num_entities


@pytest.mark.parametrize(
    ("sampler", "promise"),
    [
        (Unfiltered, "No negative is a known training answer"),
        (AsksForTailsOnly, "heads and tails are replaced"),
        (DrawsElsewhere, "no other is used"),
        (Remembers, "takes its state dict goes on as it does"),
        (TouchesTheModel, "The model is left as it is"),
        (LearnsWithoutOptimizer, "parameters if and only if it has an optimization"),
        (SwapsQueries, "Its queries are those of the positives"),
        (FloatsOut, "Negatives are ids"),
    ],
)
def test_samplers(sampler, promise):
    assert promise in told(check_sampler, sampler)


def test_a_sampler_that_filters_nothing_may_say_so():
    check_sampler(Unfiltered, filtered=False)


# --- generators ------------------------------------------------------------------------------------------------------


class Copies(GaussianNegatives):
    def sample(self, positives, rng):
        return positives.replaced(self.view_names)[:, None].expand(-1, len(self.levels), -1, -1, -1)


class OneSided(GaussianNegatives):
    def sample(self, positives, rng):
        return super().sample(positives, rng)[:, :, :1].expand(-1, -1, 2, -1, -1)


class Drifts(GaussianNegatives):
    def sample(self, positives, rng):
        return super().sample(positives, rng) + torch.rand(1)


class KeepsGradients(GaussianNegatives):
    def generate(self, positives, rng):
        made = positives.replaced(self.view_names)[:, None] + self.sample(positives, rng)
        views = dict(zip(self.view_names, made, strict=True))
        return replace(super().generate(positives, rng), views=views)


class NeverLearns(GaussianNegatives):
    def __init__(self, encoder, scorer, levels):
        super().__init__(encoder, scorer, levels)
        self.bias = nn.Parameter(torch.zeros(encoder.width))


class ReachesBack(NeverLearns):
    def loss(self, positives, rng):
        return (positives.head.joint + self.bias).square().mean()


class HoldsTheModel(GaussianNegatives):
    def __init__(self, encoder, scorer, levels):
        super().__init__(encoder, scorer, levels)
        self.encoder = encoder


class LosesALevel(GaussianNegatives):
    def __init__(self, encoder, scorer, levels):
        super().__init__(encoder, scorer, levels[:2])


@pytest.mark.parametrize(
    ("generator", "promise"),
    [
        (Copies, "no copy of the positive"),
        (OneSided, "no two sides"),
        (Drifts, "no other is used"),
        (KeepsGradients, "Generate makes constants"),
        (NeverLearns, "or None, if it has none"),
        (ReachesBack, "if and only if `detach_inputs` is false"),
        (HoldsTheModel, "Encoder and scorer are no part of it"),
        (LosesALevel, "its levels those given"),
    ],
)
def test_generators(generator, promise):
    assert promise in told(check_generator, generator)


# --- losses ----------------------------------------------------------------------------------------------------------


class Backwards(SampledLoss):
    def terms(self, positive, negative, weight=None):
        return positive.mean(), -negative.mean()


class WeighsNothing(MarginRankingLoss):
    def terms(self, positive, negative, weight=None):
        return super().terms(positive, negative)


class Overflows(SampledLoss):
    def terms(self, positive, negative, weight=None):
        return (-positive).exp().mean(), negative.exp().mean()


class PicksTheFirst(SampledLoss):
    def terms(self, positive, negative, weight=None):
        return -positive.mean(), negative[:, 0].mean()


class IgnoresTheAnswers(SoftmaxLoss):
    def terms(self, scorer, queries, table):
        return super().terms(scorer, queries._replace(answer=torch.zeros_like(queries.answer)), table)


class Detached(SoftmaxLoss):
    def terms(self, scorer, queries, table):
        return super().terms(scorer, queries._replace(relation=queries.relation.detach()), table)


@pytest.mark.parametrize(
    ("loss", "promise"),
    [
        (Backwards, "raises scores of positives"),
        (WeighsNothing, "the gradient reaches weights"),
        (Overflows, "finite for scores of +-10 000"),
        (PicksTheFirst, "Neither the order of negatives matters"),
        (IgnoresTheAnswers, "The answers matter"),
        (Detached, "reaches entities and relations"),
    ],
)
def test_losses(loss, promise):
    assert promise in told(check_loss, loss)


def test_what_is_no_loss_at_all():
    assert told(check_loss, nn.Identity).endswith("is neither a SampledLoss nor an AllEntityLoss")
