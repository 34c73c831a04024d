"""What a negative sampler promises."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch

from dhns.models.batch import Negatives
from dhns.models.kge_model import KGEModel
from dhns.negatives.sampler import NegativeSampler
from dhns.optim.optimization import Optimization
from dhns.randomness import stream
from dhns.testing.promises import (
    own_randomness,
    require,
    require_equal,
    require_finite,
    require_promises,
    require_shape,
)
from dhns.testing.small_world import fusing_model, small_graph


def check_sampler(
    make: Callable[..., NegativeSampler],
    model: Callable[..., KGEModel] = fusing_model,
    filtered: bool = True,
    device: torch.device | str = "cpu",
) -> None:
    """Hold a sampler to the contract of `dhns.negatives.sampler.NegativeSampler`.

    Args:
        make: makes it from ``graph=``, as a partial in ``conf/`` does; the graph is `small_graph`.
        model: makes the model that is trained from the graph.
        filtered: it promises to draw no known training answer, as samplers do unless they are told otherwise.
        device: to check on.

    Raises:
        AssertionError: it breaks a promise; the message tells which, and what was seen.
    """
    promises = [*_PROMISES, *([_filtered] if filtered else [])]
    with own_randomness():
        name = type(make(graph=small_graph())).__name__
        require_promises(f"the sampler {name}", promises, lambda: _Case(make, model, device))


class _Case:
    """A sampler and a model that is trained, both in training mode."""

    def __init__(
        self, make: Callable[..., NegativeSampler], model: Callable[..., KGEModel], device: torch.device | str
    ) -> None:
        self._make, self._device = make, device
        self.graph = small_graph()
        self.triples = self.graph.train.to(device)
        self.model = model(self.graph).to(device).train()
        self.sampler = self.make()

    def make(self) -> NegativeSampler:
        torch.manual_seed(3)
        return self._make(graph=self.graph).to(self._device).train()

    def draw(self, step: int, seed: int = 0) -> Negatives:
        rng = stream(seed, "test", step, device=self._device)
        return self.sampler(self.triples, step, rng, self.model)  # type: ignore[no-any-return]

    def steps(self, steps: Sequence[int] = (0, 1, 2)) -> list[Negatives]:
        return [self.draw(step) for step in steps]


def _shapes(case: _Case) -> None:
    """Negatives are ids (B, N), or (1, N) shared by all positives, with views, weights and a loss of fitting shape."""
    positives, count = len(case.triples), case.sampler.num_negatives
    for negatives in case.steps():
        entity = negatives.entity
        require(entity.shape in ((positives, count), (1, count)), f"entity has shape {tuple(entity.shape)}")
        for name, ids in {"entity": entity, **(negatives.views or {})}.items():
            require(ids.dtype == torch.int64, f"{name} is {ids.dtype}")
            low, high = int(ids.min()), int(ids.max())
            require(low >= 0 and high < case.graph.num_entities, f"{name} holds ids {low} to {high}, of 12 entities")
        for name, ids in (negatives.views or {}).items():
            require_shape(f"view {name}", ids, (positives, count))
            require(name in case.model.encoder.view_names, f"'{name}' is no view of the encoder")
        if negatives.weight is not None:
            require_shape("weight", negatives.weight, (positives, count))
            require_finite("weight", negatives.weight)
        if negatives.loss is not None:
            require_shape("loss", negatives.loss, ())
            require_finite("loss", negatives.loss)


def _queries(case: _Case) -> None:
    """Its queries are those of the positives, in their order: what is replaced is the answer."""
    for negatives in case.steps():
        asked = negatives.queries
        require(asked.head_side.dtype == torch.bool, f"head_side is {asked.head_side.dtype}")
        head, relation, tail = case.triples.unbind(1)
        require_equal("relation", asked.relation, relation)
        require_equal("entity", asked.entity, torch.where(asked.head_side, tail, head))


def _variety(case: _Case) -> None:
    """Within eight steps heads and tails are replaced, each positive's by more than one entity."""
    drawn = case.steps(range(8))
    sides = torch.unique(torch.cat([negatives.head_side for negatives in drawn])).tolist()
    require(sides == [False, True], f"only {'heads' if sides[0] else 'tails'} are replaced")
    rows = len(case.triples)
    entities = torch.cat([negatives.entity.expand(rows, -1) for negatives in drawn], dim=1)
    alike = int((entities == entities[:, :1]).all(1).sum())
    require(alike == 0 or any(n.views for n in drawn), f"{alike} of {rows} positives have the same entity every time")


def _drawn_from_the_stream(case: _Case) -> None:
    """The generator that it is given fixes what equal samplers draw, another one draws otherwise; no other is used."""
    before = torch.get_rng_state()
    first = case.steps()
    require(torch.equal(torch.get_rng_state(), before), "the global generator has moved")
    case.sampler = case.make()
    for step, (negatives, again) in enumerate(zip(first, case.steps(), strict=True)):
        require_equal(f"entity of step {step}, drawn again", again.entity, negatives.entity)
        require_equal(f"head_side of step {step}, drawn again", again.head_side, negatives.head_side)
        if negatives.loss is not None and again.loss is not None:
            require_equal(f"loss of step {step}, computed again", again.loss, negatives.loss)
    case.sampler = case.make()
    require(not torch.equal(case.draw(0, seed=1).entity, first[0].entity), "another generator draws the same")


def _state(case: _Case) -> None:
    """Another one that takes its state dict goes on as it does."""
    case.steps()
    other = case._make(graph=case.graph).to(case._device).train()
    other.load_state_dict(case.sampler.state_dict())
    expected = case.steps((3, 4))
    case.sampler = other
    for step, (found, right) in enumerate(zip(case.steps((3, 4)), expected, strict=True)):
        require_equal(f"entity of step {step + 3}", found.entity, right.entity)


def _model_left_alone(case: _Case) -> None:
    """The model is left as it is: its values, its modes; and no loss of the sampler reaches it."""
    before = copy.deepcopy(case.model.state_dict())
    for negatives in case.steps():
        if negatives.loss is not None and negatives.loss.requires_grad:
            torch.autograd.backward(negatives.loss)
    for name, parameter in case.model.named_parameters():
        require(parameter.grad is None, f"the loss reaches {name}")
    require(all(module.training for module in case.model.modules()), "a part of the model is in evaluation mode")
    for name, value in case.model.state_dict().items():
        require_equal(name, value, before[name])


def _learning(case: _Case) -> None:
    """It has parameters if and only if it has an optimization; then its loss, or weights, train some of them."""
    learned = [parameter for parameter in case.sampler.parameters() if parameter.requires_grad]
    optimization = case.sampler.optimization
    require(optimization is None or isinstance(optimization, Optimization), f"optimization is {optimization!r}")
    require(bool(learned) == (optimization is not None), f"{len(learned)} parameters, and optimization={optimization}")
    if not learned:
        return
    for negatives in case.steps():
        parts = [part for part in (negatives.loss, negatives.weight) if part is not None and part.requires_grad]
        require(bool(parts), "neither loss nor weight has a gradient")
        torch.autograd.backward([part.sum() for part in parts])
    reached = [parameter.grad for parameter in learned if parameter.grad is not None]
    require(bool(reached), "its loss and weights reach none of its parameters")
    for gradient in reached:
        require_finite("a gradient of its parameters", gradient)


def _filtered(case: _Case) -> None:
    """No negative is a known training answer, unless it weighs nothing or lends a view of another entity."""
    triples = case.graph.train.tolist()
    known = {tuple(row) for row in triples}
    for negatives in case.steps():
        views = [ids.tolist() for ids in (negatives.views or {}).values()]
        weight = None if negatives.weight is None else negatives.weight.tolist()
        entities, head_side = negatives.entity.tolist(), negatives.head_side.tolist()
        for i, ((h, r, t), head) in enumerate(zip(triples, head_side, strict=True)):
            for j, entity in enumerate(entities[i % len(entities)]):
                fact = (entity, r, t) if head else (h, r, entity)
                if fact not in known or (weight is not None and weight[i][j] == 0):
                    continue
                mixed = entity == (h if head else t) and any(view[i][j] != entity for view in views)
                require(mixed, f"{fact} is drawn as a negative of {(h, r, t)}")


_PROMISES = [_shapes, _queries, _variety, _drawn_from_the_stream, _state, _model_left_alone, _learning]
