"""What a scorer promises."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.scorers.scorer import Scorer
from dhns.testing.promises import (
    own_randomness,
    require,
    require_close,
    require_finite,
    require_kept,
    require_promises,
    require_shape,
)

ENTITIES, RELATIONS = 7, 3


def check_scorer(
    make: Callable[[], Scorer],
    entities: Callable[[int], Tensor] | None = None,
    sides: Literal["both", "tail"] = "both",
    device: torch.device | str = "cpu",
) -> None:
    """Hold a scorer to the contract of `dhns.scorers.scorer.Scorer`.

    Args:
        make: makes it, small: ``lambda: RotatE(dim=3)``.
        entities: ``(count, J)`` float64 joint embeddings of so many entities, for a scorer that takes more than a view
            of `Scorer.entity_width`; random views otherwise.
        sides: ``tail`` for a scorer that has no inverse relations and therefore wants ``reciprocal=true``.
        device: to check on.

    Raises:
        AssertionError: it breaks a promise; the message tells which, and what was seen.
    """
    promises = [*_PROMISES, *(_OF_BOTH_SIDES if sides == "both" else ())]
    with own_randomness():
        name = type(make()).__name__
        require_promises(f"the scorer {name}", promises, lambda: _Case(make, entities, sides == "both", device))


class _Case:
    """A scorer in evaluation mode and float64, tables of entities and relations, and all triples of them."""

    def __init__(
        self,
        make: Callable[[], Scorer],
        entities: Callable[[int], Tensor] | None,
        both_sides: bool,
        device: torch.device | str,
    ) -> None:
        self.make, self.both_sides, self.device = make, both_sides, torch.device(device)
        self.scorer = make().to(device=device, dtype=torch.float64).eval()
        draw = torch.Generator().manual_seed(2)
        self.views = torch.randn(ENTITIES, self.scorer.entity_width, generator=draw, dtype=torch.float64).to(device)
        self.stored = torch.randn(RELATIONS, self.scorer.relation_width, generator=draw, dtype=torch.float64).to(device)
        self.entities = self.views if entities is None else entities(ENTITIES).to(device=device, dtype=torch.float64)
        self.triples = torch.cartesian_prod(*(torch.arange(n, device=device) for n in (ENTITIES, RELATIONS, ENTITIES)))

    @property
    def relations(self) -> Tensor:
        return self.scorer.prepare(self.stored)

    def sides(self) -> list[Tensor]:
        """``(B,)`` the side of every triple that is asked for: tails; and heads, and both mixed, where it has both."""
        rows = torch.arange(len(self.triples), device=self.device)
        tails = torch.zeros_like(rows, dtype=torch.bool)
        return [tails, ~tails, rows % 3 == 0] if self.both_sides else [tails]

    def scores(self) -> Tensor:
        """``(B,)`` scores of all triples by `forward`."""
        h, r, t = self.triples.T
        return self.scorer(self.entities[h], self.relations[r], self.entities[t])  # type: ignore[no-any-return]

    def asked(self, head_side: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
        """The query of every triple as the scorer takes it, and the row of its answer."""
        h, r, t = self.triples.T
        known, answer = torch.where(head_side, t, h), torch.where(head_side, h, t)
        return (self.entities[known], self.relations[r], head_side), answer


def _widths(case: _Case) -> None:
    """entity_width, relation_width and init_range say how tables start: positive integers, a positive number."""
    scorer = case.scorer
    for name in ("entity_width", "relation_width"):
        value = getattr(scorer, name)
        require(isinstance(value, int) and value > 0, f"{name} is {value!r}")
    require(scorer.init_range > 0 and math.isfinite(scorer.init_range), f"init_range is {scorer.init_range}")
    require(scorer.margin >= 0 and math.isfinite(scorer.margin), f"margin is {scorer.margin}")
    start = scorer.initial_relations(5)
    require_shape("initial_relations(5)", start, (5, scorer.relation_width))
    require_finite("initial_relations(5)", start)


def _prepared(case: _Case) -> None:
    """Preparing keeps a row per relation, in order; a reciprocal table has rows like any other."""
    require(len(case.relations) == RELATIONS, f"prepare makes {len(case.relations)} rows of {RELATIONS}")


def _forward(case: _Case) -> None:
    """Forward scores triples, one finite number each, and its arguments broadcast over leading dimensions."""
    scores = case.scores()
    require_shape("forward of 147 triples", scores, (len(case.triples),))
    require_finite("forward", scores)
    grid = case.scorer(case.entities[:, None, None], case.relations[:, None], case.entities)
    require_close("forward of (7, 1, 1, D), (3, 1, R), (7, D)", grid, scores.view(ENTITIES, RELATIONS, ENTITIES))


def _candidates(case: _Case) -> None:
    """Scoring by score_candidates gives what forward gives, for answers of every side that is asked for."""
    for head_side in case.sides():
        query, answer = case.asked(head_side)
        index = torch.stack([answer, answer.flip(0)], dim=1)
        found = case.scorer.score_candidates(*query, case.entities, index)
        require_shape("score_candidates", found, tuple(index.shape))
        require_close(f"score_candidates for {_told(head_side)}", found[:, 0], case.scores())


def _everything(case: _Case) -> None:
    """Scoring by score_all gives what forward gives, for every entity, on every side, with autograd and without."""
    for head_side in case.sides():
        query, answer = case.asked(head_side)
        found = case.scorer.score_all(*query, case.entities)
        require_shape("score_all", found, (len(answer), ENTITIES))
        right = found.gather(1, answer[:, None])[:, 0]
        require_close(f"score_all for {_told(head_side)}", right, case.scores())
        with torch.no_grad():
            plain = case.scorer.score_all(*query, case.entities)
        tracked = case.scorer.score_all(query[0].clone().requires_grad_(), *query[1:], case.entities)
        require(tracked.requires_grad, "score_all of entities that require a gradient has none")
        require_close("score_all under autograd", tracked.detach(), plain)


def _matched(case: _Case) -> None:
    """Match, match_indexed and match_all agree: candidates broadcast against queries."""
    h, r, _ = case.triples.T
    query = case.scorer.query(case.entities[h], case.relations[r])
    everything = case.scorer.match_all(query, case.entities)
    require_close("match(query[:, None], table)", case.scorer.match(query[:, None], case.entities), everything)
    index = torch.arange(2 * len(query), device=case.device).view(-1, 2) % ENTITIES
    require_close("match_indexed", case.scorer.match_indexed(query, case.entities, index), everything.gather(1, index))


def _gradients(case: _Case) -> None:
    """Gradients of match_indexed and match_all are those of match, finite, and reach entities and relations."""
    index = torch.tensor([[0, 3, 3], [6, 1, 0]], device=case.device)  # an entity twice collects both gradients

    def gradients(kind: str) -> tuple[Tensor, ...]:
        entities, stored = case.entities.clone().requires_grad_(), case.stored.clone().requires_grad_()
        query = case.scorer.query(entities[[1, 2]], case.scorer.prepare(stored)[[0, 2]])
        if kind == "match_indexed":
            score = case.scorer.match_indexed(query, entities, index)
        elif kind == "match_all":
            score = case.scorer.match_all(query, entities).gather(1, index)
        else:
            score = case.scorer.match(query[:, None], entities[index])
        return torch.autograd.grad(score.square().sum(), (entities, stored))

    expected = gradients("match")
    for table, gradient in zip(("entities", "relations"), expected, strict=True):
        require(bool(gradient.any()), f"the gradient of {table} is zero")
    for kind in ("match_indexed", "match_all"):
        for table, found, right in zip(("entities", "relations"), gradients(kind), expected, strict=True):
            require_close(f"the gradient of {table} by {kind}", found, right)


def _coinciding(case: _Case) -> None:
    """Scores and gradients are finite where vectors coincide; there, under a relation of zeros, a distance is zero."""
    still = case.scorer.prepare(torch.zeros_like(case.stored[:1])).detach().requires_grad_()
    index = torch.tensor([[0, 1]], device=case.device)
    for value in (0.0, 1.0):
        table = torch.full_like(case.entities[:2], value).requires_grad_()
        query = case.scorer.query(table[:1], still)
        found = {
            "match_indexed": case.scorer.match_indexed(query, table, index),
            "match_all": case.scorer.match_all(query, table),
            "forward": case.scorer(table, still, table),
        }
        for name, scores in found.items():
            require_finite(f"scores of entities of {value:g}s by {name}", scores)
            if case.scorer.margin:
                best = torch.full_like(scores, case.scorer.margin)
                require_close(f"the score of equal entities of {value:g}s by {name}", scores, best, tolerance=1e-4)
            for gradient in torch.autograd.grad(scores.sum(), (table, still), retain_graph=True):
                require_finite(f"gradients at entities of {value:g}s by {name}", gradient)


def _margin(case: _Case) -> None:
    """A scorer with a margin is that margin less a distance: no score is above it."""
    best = case.scores().max().item()
    require(case.scorer.margin == 0 or best <= case.scorer.margin + 1e-6, f"{best:g} above {case.scorer.margin:g}")


def _generated(case: _Case) -> None:
    """A single view (D) stands for an entity in match, with levels and sides before the batch, as if generated."""
    h, r, _ = case.triples[:8].T
    query = case.scorer.query(case.entities[h].view(2, 4, -1), case.relations[r].view(2, 4, -1))
    generated = case.views[torch.arange(24, device=case.device) % ENTITIES].view(3, 2, 4, -1)
    found = case.scorer.match(query, generated)
    require_shape("match of queries (2, B, Q) and embeddings (3, 2, B, D)", found, (3, 2, 4))
    for level, side in ((0, 0), (2, 1)):
        one = case.scorer.match(query[side], generated[level, side])
        require_close(f"level {level}, side {side}, among all", found[level, side], one)
    own = torch.arange(8, device=case.device)[:, None]
    indexed = case.scorer.match_indexed(query.flatten(0, 1), generated[0].flatten(0, 1), own)
    require_close("match_indexed of single views", indexed[:, 0], found[0].flatten())


def _condition(case: _Case) -> None:
    """Condition makes a vector (D) of an observed view, alike in training and evaluation."""
    h, r, _ = case.triples.T
    given = case.views[h], case.relations[r], case.sides()[-1]
    found = case.scorer.condition(*given)
    require_shape("condition", found, (len(h), case.scorer.entity_width))
    require_finite("condition", found)
    require_close("condition in training", case.scorer.train().condition(*given), found)


def _alone(case: _Case) -> None:
    """In evaluation a score depends neither on chance nor on the rest of the batch, and inputs stay as they are."""
    h, r, t = case.triples.T
    relations = case.relations
    inputs = case.entities, relations
    before = [part.clone() for part in inputs]
    scores = case.scores()
    require_close("the same again", case.scores(), scores)
    query, answer = case.asked(case.sides()[0])
    case.scorer.score_candidates(*query, case.entities, answer[:, None])
    case.scorer.score_all(*query, case.entities)
    for row in (0, 60, 146):
        one = case.scorer(case.entities[h[row, None]], relations[r[row, None]], case.entities[t[row, None]])
        require_close("a triple scored alone", one, scores[row, None])
    for now, then in zip(inputs, before, strict=True):
        require_close("an input after scoring", now, then, tolerance=0)


def _precision(case: _Case) -> None:
    """Numbers in single precision make scores in single precision, on the same device, near those in double."""
    exact, (head_side, *_) = case.scores(), case.sides()
    case.scorer.float()
    case.entities, case.stored = case.entities.float(), case.stored.float()
    query, answer = case.asked(head_side)
    found = {
        "forward": case.scores(),
        "score_all": case.scorer.score_all(*query, case.entities).gather(1, answer[:, None])[:, 0],
        "score_candidates": case.scorer.score_candidates(*query, case.entities, answer[:, None])[:, 0],
    }
    for name, scores in found.items():
        require_kept(name, scores, torch.float32, case.device)
        require_close(f"{name} in single precision", scores.double(), exact, tolerance=1e-3)


def _state(case: _Case) -> None:
    """Another one that takes its state dict scores as it does; the state is tensors alone."""
    state = case.scorer.state_dict()
    for key, value in state.items():
        require(isinstance(value, Tensor), f"{key} is {type(value).__name__}")
    expected = case.scores()
    torch.manual_seed(1)
    case.scorer = case.make().to(device=case.device, dtype=torch.float64).eval()
    case.scorer.load_state_dict(state)
    require_close("scores of the other", case.scores(), expected)


def _own_parameters(case: _Case) -> None:
    """In training, the gradient of scores reaches every parameter of the scorer's own, and is finite."""
    own = dict(case.scorer.train().named_parameters())
    if own:
        torch.autograd.backward(case.scores().square().sum())
    for name, parameter in own.items():
        gradient = parameter.grad
        require(gradient is not None, f"{name} has no gradient")
        require_finite(f"the gradient of {name}", gradient)  # type: ignore[arg-type]


def _magnitudes(case: _Case) -> None:
    """Magnitudes are sizes of numbers, none negative, of entities and of prepared relations; differentiable at zero."""
    for name, table in (("entities", case.entities), ("relations", case.relations)):
        sizes = case.scorer.magnitudes(table)
        require(sizes.shape[:-1] == table.shape[:-1], f"magnitudes of {name} have shape {tuple(sizes.shape)}")
        require(bool((sizes >= 0).all()), f"a magnitude of {name} is negative")
        zeros = torch.zeros_like(table).requires_grad_()
        (gradient,) = torch.autograd.grad(case.scorer.magnitudes(zeros).pow(3).sum(), zeros)
        require_finite(f"the gradient of magnitudes at {name} of zeros", gradient)


def _factors(case: _Case) -> None:
    """Factors are vectors whose inner products are match_all; where there are none, it raises InputError."""
    h, r, _ = case.triples.T
    query = case.scorer.query(case.entities[h], case.relations[r])
    try:
        left, right = case.scorer.factors(query, case.entities)
    except InputError:
        return
    require_close("inner products of factors", left @ right.T, case.scorer.match_all(query, case.entities))


def _inverse(case: _Case) -> None:
    """The inverse of the inverse is the relation."""
    require_close("inverse(inverse(r))", case.scorer.inverse(case.scorer.inverse(case.relations)), case.relations)


def _head_side(case: _Case) -> None:
    """A tail asks for its head by the inverse relation: match(query(t, inverse(r)), h) is the score."""
    h, r, t = case.triples.T
    query = case.scorer.query(case.entities[t], case.scorer.inverse(case.relations)[r])
    require_close("match(query(t, inverse(r)), h)", case.scorer.match(query, case.entities[h]), case.scores())


_PROMISES = [
    _widths, _prepared, _forward, _candidates, _everything, _matched, _gradients, _coinciding, _margin, _generated,
    _condition, _alone, _precision, _state, _own_parameters, _magnitudes, _factors,
]  # fmt: skip
_OF_BOTH_SIDES = [_inverse, _head_side]


def _told(head_side: Tensor) -> str:
    return "heads" if head_side.all() else "tails and heads mixed" if head_side.any() else "tails"
