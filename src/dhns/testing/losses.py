"""What a loss promises."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dhns.losses.loss import AllEntityLoss, SampledLoss
from dhns.models.batch import EmbeddedQueries
from dhns.scorers.distmult import DistMult
from dhns.scorers.scorer import Scorer
from dhns.testing.promises import (
    own_randomness,
    require,
    require_close,
    require_finite,
    require_promises,
    require_shape,
)


def check_loss(
    make: Callable[[], SampledLoss | AllEntityLoss],
    scorer: Callable[[], Scorer] = lambda: DistMult(4),
    device: torch.device | str = "cpu",
) -> None:
    """Hold a loss to the contract of `dhns.losses.loss`.

    Args:
        make: makes it.
        scorer: of a loss over all entities.
        device: to check on.

    Raises:
        AssertionError: it breaks a promise; the message tells which, and what was seen. Or it is neither kind of loss.
    """
    with own_randomness():
        loss = make().to(device)
        name = f"the loss {type(loss).__name__}"
        if isinstance(loss, SampledLoss):
            require_promises(name, _OF_SAMPLED, lambda: _Sampled(loss, torch.device(device)))
        elif isinstance(loss, AllEntityLoss):
            require_promises(name, _OF_ALL, lambda: _Everything(loss, scorer().to(device).eval(), device))
        else:
            raise AssertionError(f"{name} is neither a SampledLoss nor an AllEntityLoss")


class _Sampled:
    """Scores of 5 positives and 4 negatives each, as wide as a margin."""

    def __init__(self, loss: SampledLoss, device: torch.device) -> None:
        self.loss = loss
        draw = torch.Generator().manual_seed(4)
        self.positive, self.negative = (
            (3 * torch.randn(shape, generator=draw)).to(device).requires_grad_() for shape in ((5,), (5, 4))
        )


def _two_terms(case: _Sampled) -> None:
    """Terms are two finite numbers, and forward is their sum."""
    terms = case.loss.terms(case.positive, case.negative)
    require(len(terms) == 2, f"{len(terms)} terms")
    for name, term in zip(("the first term", "the second term"), terms, strict=True):
        require_shape(name, term, ())
        require_finite(name, term)
    require_close("forward", case.loss(case.positive, case.negative), terms[0] + terms[1])


def _directions(case: _Sampled) -> None:
    """The first term raises scores of positives, the second lowers those of negatives."""
    attracting, repelling = case.loss.terms(case.positive, case.negative)
    up, _ = torch.autograd.grad(attracting + 0 * case.negative.sum(), (case.positive, case.negative), retain_graph=True)
    _, down = torch.autograd.grad(repelling + 0 * case.positive.sum(), (case.positive, case.negative))
    require(bool((up <= 0).all()) and bool(up.any()), f"slopes of positives are {_told(up)}, expected none above 0")
    require(
        bool((down >= 0).all()) and bool(down.any()), f"slopes of negatives are {_told(down)}, expected none below 0"
    )


def _weights(case: _Sampled) -> None:
    """Weights of one change nothing, a negative of weight zero has no gradient, and the gradient reaches weights."""
    ones = torch.ones_like(case.negative).requires_grad_()
    weighed = case.loss(case.positive, case.negative, ones)
    require_close("the loss with weights of one", weighed, case.loss(case.positive, case.negative))
    (slope,) = torch.autograd.grad(weighed, ones, allow_unused=True)
    require(slope is not None and bool(slope.any()), "the gradient of weights is zero")
    some = torch.ones_like(case.negative)
    some[:, 1] = 0
    (down,) = torch.autograd.grad(case.loss(case.positive, case.negative, some), case.negative)
    require(not bool(down[:, 1].any()), f"slopes of negatives of weight 0 are {_told(down[:, 1])}")


def _order(case: _Sampled) -> None:
    """Neither the order of negatives matters, nor that of positives."""
    loss = case.loss(case.positive, case.negative)
    require_close("with negatives in another order", case.loss(case.positive, case.negative.flip(1)), loss)
    require_close("with positives in another order", case.loss(case.positive.flip(0), case.negative.flip(0)), loss)


def _extremes(case: _Sampled) -> None:
    """Loss and gradients are finite for scores of +-10 000."""
    for sign in (1, -1):
        scores = (1e4 * sign * torch.ones_like(part).detach() for part in (case.positive, -case.negative))
        positive, negative = (part.requires_grad_() for part in scores)
        loss = case.loss(positive, negative)
        require_finite("the loss", loss)
        for gradient in torch.autograd.grad(loss, (positive, negative), allow_unused=True):
            if gradient is not None:
                require_finite("a gradient", gradient)


class _Everything:
    """Seven entities, and a query of each of three entities and relations, of either side, with six answers."""

    def __init__(self, loss: AllEntityLoss, scorer: Scorer, device: torch.device | str) -> None:
        self.loss, self.scorer = loss, scorer
        draw = torch.Generator().manual_seed(0)
        self.table = (0.5 * torch.randn(7, scorer.entity_width, generator=draw)).to(device).requires_grad_()
        stored = (0.5 * torch.randn(3, scorer.relation_width, generator=draw)).to(device)
        self.relations = scorer.prepare(stored).detach().requires_grad_()
        self.row = torch.tensor([0, 0, 1, 2, 2, 2], device=device)
        self.answer = torch.tensor([1, 4, 0, 3, 5, 6], device=device)

    def terms(self, table: Tensor, relations: Tensor, order: Tensor | None = None) -> tuple[Tensor, Tensor]:
        head_side = torch.tensor([False, True, False], device=table.device)
        row, answer = (part if order is None else part[order] for part in (self.row, self.answer))
        return self.loss.terms(self.scorer, EmbeddedQueries(table[:3], relations, head_side, row, answer), table)

    def total(self, table: Tensor, relations: Tensor, order: Tensor | None = None) -> Tensor:
        attracting, repelling = self.terms(table, relations, order)
        return attracting + repelling


def _two_terms_of_all(case: _Everything) -> None:
    """Terms are two finite numbers."""
    terms = case.terms(case.table, case.relations)
    require(len(terms) == 2, f"{len(terms)} terms")
    for name, term in zip(("the first term", "the second term"), terms, strict=True):
        require_shape(name, term, ())
        require_finite(name, term)


def _descent(case: _Everything) -> None:
    """Its gradient is finite, reaches entities and relations, and a small step along it lowers the loss."""
    loss = case.total(case.table, case.relations)
    slopes = torch.autograd.grad(loss, (case.table, case.relations))
    for name, slope in zip(("entities", "relations"), slopes, strict=True):
        require_finite(f"the gradient of {name}", slope)
        require(bool(slope.any()), f"the gradient of {name} is zero")
    with torch.no_grad():
        moved = [part - 1e-3 * slope for part, slope in zip((case.table, case.relations), slopes, strict=True)]
        after = case.total(*moved)
    require(bool(after < loss), f"the loss goes from {loss.item():.6g} to {after.item():.6g}")


def _order_of_all(case: _Everything) -> None:
    """The order of the answers does not matter."""
    order = torch.tensor([5, 2, 0, 4, 1, 3], device=case.table.device)
    loss = case.total(case.table, case.relations)
    require_close("with answers in another order", case.total(case.table, case.relations, order), loss, tolerance=1e-5)


def _answers(case: _Everything) -> None:
    """The answers matter: with others the loss is another."""
    loss = case.total(case.table, case.relations)
    case.answer = case.answer.roll(1)
    other = case.total(case.table, case.relations)
    require(not torch.isclose(loss, other), f"the loss stays {loss.item():.6g}")


_OF_SAMPLED = [_two_terms, _directions, _weights, _order, _extremes]
_OF_ALL = [_two_terms_of_all, _descent, _order_of_all, _answers]


def _told(numbers: Tensor) -> str:
    return f"{numbers.min().item():.3g} to {numbers.max().item():.3g}"
