"""The parts keep the promises of their kinds, and do what they are for."""

import math
from functools import partial

import torch

from dhns.graph.queries import Queries
from dhns.randomness import stream
from dhns.testing import check_encoder, check_generator, check_sampler, check_scorer, small_graph
from extra_parts.gated import GatedFusion
from extra_parts.hake import HAKE
from extra_parts.mixed import MixedNegatives
from extra_parts.typed import TypedSampler


def test_scorer():
    check_scorer(lambda: HAKE(dim=3))


def test_sampler():
    check_sampler(partial(TypedSampler, num_negatives=8))
    check_sampler(partial(TypedSampler, num_negatives=8, share=1.0))


def test_generator():
    check_generator(MixedNegatives)


def test_encoder():
    check_encoder(GatedFusion, scorer=lambda: HAKE(dim=3))
    check_encoder(partial(GatedFusion, sparsity=0.1))


def test_hake_is_its_formula():
    scorer = HAKE(dim=1, margin=4.0, epsilon=0.0)  # starts in +-4, so that a phase of 4 is half a circle
    head, relation, tail = torch.tensor([3.0, 1.0]), torch.tensor([[0.5, 2.0]]), torch.tensor([2.0, -1.0])
    depth, place = abs(3 * math.exp(0.5) - 2), abs(math.sin(math.pi * (1 + 2 + 1) / 4 / 2))
    expected = torch.tensor(4 - depth - 0.5 * 4 * place)
    torch.testing.assert_close(scorer(head, scorer.prepare(relation)[0], tail), expected)


def test_typed_negatives_are_of_their_place():
    graph = small_graph()
    kinds = Queries(torch.tensor([2]), torch.tensor([2]), torch.tensor([False]))  # only entities 0 and 1 are kinds
    drawn = TypedSampler(graph, 50, share=1.0, filtered=False).draw(kinds, 50, stream(0, "test"))
    assert drawn.unique().tolist() == [0, 1]
