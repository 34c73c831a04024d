"""The non-sampling loss against the sum over all triples."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dhns.errors import InputError
from dhns.losses.non_sampling import NonSamplingLoss
from dhns.models.batch import EmbeddedQueries
from dhns.scorers.complex import ComplEx
from dhns.scorers.distmult import DistMult
from dhns.scorers.quate import QuatE
from dhns.scorers.rescal import RESCAL
from dhns.scorers.rotate import RotatE
from dhns.scorers.transe import TransE

WEIGHT = 0.3
SCORERS = {
    "distmult": DistMult(4),
    "complex": ComplEx(2),
    "rescal": RESCAL(4),
    "quate": QuatE(1),
    "transe": TransE(4, margin=2.0, norm="l2_squared"),
    "transe of the authors": TransE(4, margin=3.0, normalize=True, norm="l2_squared"),
}
KNOWN = [0, 2, 2]
HEAD_SIDE = [False, True, False]
ANSWERS = [[1, 4, 6], [0], [3, 5]]  # of each query, among 7 entities


def world(scorer):
    """The tables of 7 entities and of 3 relations, one for each query."""
    draw = torch.Generator().manual_seed(0)
    entities = torch.randn(7, scorer.entity_width, generator=draw, dtype=torch.float64)
    relations = torch.randn(3, scorer.relation_width, generator=draw, dtype=torch.float64)
    return entities.requires_grad_(), relations.requires_grad_()


def queries(scorer, entities, relations):
    row = torch.tensor([query for query, answers in enumerate(ANSWERS) for _ in answers])
    answer = torch.tensor([answer for answers in ANSWERS for answer in answers])
    return EmbeddedQueries(entities[KNOWN], scorer.prepare(relations), torch.tensor(HEAD_SIDE), row, answer)


def of_triple(scorer, entities, relations, query, entity):
    """Score of the triple that an entity completes a query to."""
    known, relation = entities[KNOWN[query]], scorer.prepare(relations)[query]
    ends = (entities[entity], known) if HEAD_SIDE[query] else (known, entities[entity])
    return scorer(ends[0], relation, ends[1])


def double_sum(scorer, entities, relations):
    """Both terms by a loop over queries and entities."""
    target = scorer.margin or 1.0
    positive_loss = negative_loss = 0.0
    for query, answers in enumerate(ANSWERS):
        for entity in range(len(entities)):
            score = of_triple(scorer, entities, relations, query, entity)
            if entity in answers:
                positive_loss = positive_loss + (target - score) ** 2
            else:
                negative_loss = negative_loss + WEIGHT * score**2
    count = sum(map(len, ANSWERS))
    return positive_loss / count, negative_loss / count


@pytest.fixture(params=SCORERS.values(), ids=SCORERS)
def scorer(request):
    return request.param


def test_gram_matrices_give_the_double_sum(scorer):
    entities, relations = world(scorer)
    found = NonSamplingLoss(WEIGHT).terms(scorer, queries(scorer, entities, relations), entities)
    expected = double_sum(scorer, entities, relations)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_so_do_their_gradients(scorer):
    entities, relations = world(scorer)
    for term in (0, 1):
        found = NonSamplingLoss(WEIGHT).terms(scorer, queries(scorer, entities, relations), entities)[term]
        expected = double_sum(scorer, entities, relations)[term]
        for one, other in zip(
            torch.autograd.grad(found, (entities, relations)),
            torch.autograd.grad(expected, (entities, relations)),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_transe_of_unit_vectors_and_margin_3_is_that_of_the_authors():
    """Known triples want ``d^2 = 0``, others ``d^2 = 3``, that of random unit vectors."""
    scorer = SCORERS["transe of the authors"]
    entities, relations = world(scorer)
    found = NonSamplingLoss(WEIGHT).terms(scorer, queries(scorer, entities, relations), entities)
    unit = [[x / sum(y * y for y in row) ** 0.5 for x in row] for row in entities.tolist()]
    steps = [[x / sum(y * y for y in row) ** 0.5 for x in row] for row in relations.tolist()]
    known, others = 0.0, 0.0
    for query, answers in enumerate(ANSWERS):
        for entity in range(7):
            head, tail = (entity, KNOWN[query]) if HEAD_SIDE[query] else (KNOWN[query], entity)
            squares = [(h + r - t) ** 2 for h, r, t in zip(unit[head], steps[query], unit[tail], strict=True)]
            if entity in answers:
                known += sum(squares) ** 2 / 6
            else:
                others += WEIGHT * (3 - sum(squares)) ** 2 / 6
    assert [term.item() for term in found] == pytest.approx([known, others])


@pytest.mark.parametrize("name", ["distmult", "transe"])
def test_no_pair_is_ever_scored(name):
    scorer, sizes = SCORERS[name], []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            output = function(*args, **(kwargs or {}))
            parts = output if isinstance(output, tuple) else (output,)
            sizes.extend(part.numel() for part in parts if isinstance(part, torch.Tensor))
            return output

    entities, asked = torch.randn(3000, 4, requires_grad=True), torch.randn(500, 4, requires_grad=True)
    rows = torch.arange(500)
    batch = EmbeddedQueries(asked, torch.randn(500, 4), torch.zeros(500, dtype=torch.bool), rows, rows)
    with Sizes():
        sum(NonSamplingLoss().terms(scorer, batch, entities)).backward()
    assert sizes
    assert max(sizes) <= 3000 * 6, "the scores of all pairs are 1,500,000 numbers"


@pytest.mark.parametrize("scorer", [TransE(4), RotatE(2)], ids=["TransE", "RotatE"])
def test_scores_that_are_no_inner_products_are_refused(scorer):
    entities, relations = world(scorer)
    with pytest.raises(InputError, match=r"loss=non_sampling needs.*distmult.*scorer.norm=l2_squared"):
        NonSamplingLoss().terms(scorer, queries(scorer, entities, relations), entities)
