"""What a generator of negative embeddings promises."""

from __future__ import annotations

from collections.abc import Callable

import torch

from dhns.generators.generator import GeneratedNegatives, NegativeGenerator
from dhns.generators.hardness_adaptive import HardnessAdaptiveLoss, scores_by_view
from dhns.generators.levels import HardnessLevel
from dhns.models.kge_model import KGEModel
from dhns.randomness import stream
from dhns.testing.promises import (
    own_randomness,
    require,
    require_close,
    require_equal,
    require_finite,
    require_promises,
    require_shape,
)
from dhns.testing.small_world import embedded, fusing_model, small_graph

LEVELS = tuple(HardnessLevel(time) for time in (0.1, 0.25, 0.5))


def check_generator(
    make: Callable[..., NegativeGenerator],
    model: Callable[..., KGEModel] = fusing_model,
    device: torch.device | str = "cpu",
) -> None:
    """Hold a generator to the contract of `dhns.generators.generator.NegativeGenerator`.

    Args:
        make: makes it from ``encoder=``, ``scorer=`` and ``levels=``, as a partial in ``conf/`` does.
        model: makes the model that is trained from `small_graph`.
        device: to check on.

    Raises:
        AssertionError: it breaks a promise; the message tells which, and what was seen.
    """
    with own_randomness():
        name = type(_Case(make, model, device).generator).__name__
        require_promises(f"the generator {name}", _PROMISES, lambda: _Case(make, model, device))


class _Case:
    """A generator, a model in training and its embedded positives."""

    def __init__(
        self, make: Callable[..., NegativeGenerator], model: Callable[..., KGEModel], device: torch.device | str
    ) -> None:
        self._make, self._device = make, device
        torch.manual_seed(0)
        graph = small_graph()
        self.model = model(graph).to(device).train()
        self.positives = embedded(self.model, graph.train.to(device))
        self.rows = len(graph.train)
        self.generator = self.make()

    def make(self, seed: int = 1) -> NegativeGenerator:
        torch.manual_seed(seed)
        made = self._make(encoder=self.model.encoder, scorer=self.model.scorer, levels=LEVELS)
        return made.to(self._device)

    def rng(self, purpose: str = "generation") -> torch.Generator:
        return stream(0, purpose, device=self._device)

    def generate(self) -> GeneratedNegatives:
        return self.generator.generate(self.positives, self.rng())

    @property
    def used(self) -> int:
        """How many positives negatives are made for."""
        return self.rows if self.generator.rows is None else min(self.rows, self.generator.rows)


def _names(case: _Case) -> None:
    """Its views are some of the encoder's, in order, structure first; its levels those given, once or more."""
    found, there = case.generator.view_names, case.model.encoder.view_names
    require(tuple(name for name in there if name in found) == tuple(found), f"view_names is {found} of {there}")
    require(found[:1] == there[:1], f"view_names is {found}")
    levels = case.generator.levels
    require(isinstance(levels, tuple) and len(levels) > 0, f"levels is {levels!r}")
    repeated = LEVELS * (len(levels) // len(LEVELS))
    require(levels == repeated, f"levels is {levels}")


def _samples(case: _Case) -> None:
    """Sample makes finite embeddings (V, L, 2, B, D), no two sides or levels alike."""
    with torch.no_grad():
        samples = case.generator.sample(case.positives, case.rng())
    views, levels = len(case.generator.view_names), len(case.generator.levels)
    require_shape("sample", samples, (views, levels, 2, case.rows, case.model.encoder.width))
    require_finite("sample", samples)
    require(not torch.equal(samples[:, :, 0], samples[:, :, 1]), "tails and heads are the same")


def _negatives(case: _Case) -> None:
    """Generate makes constants by view (L, 2, B, D) and masks (B,), for the first `rows` positives as they are."""
    generated, rows = case.generate(), case.used
    for part in (generated.views, generated.present):
        require(tuple(part) == tuple(case.generator.view_names), f"{tuple(part)} for {case.generator.view_names}")
    shape = (len(case.generator.levels), 2, rows, case.model.encoder.width)
    for name in case.generator.view_names:
        require_shape(f"view {name}", generated.views[name], shape)
        require(not generated.views[name].requires_grad, f"view {name} has a gradient")
        require_shape(f"mask {name}", generated.present[name], (rows,))
        require(generated.present[name].dtype == torch.bool, f"mask {name} is {generated.present[name].dtype}")
    kept = generated.positives
    require_close("heads", kept.head.joint, case.positives.head.joint[:rows], tolerance=0)
    require_close("tails", kept.tail.joint, case.positives.tail.joint[:rows], tolerance=0)
    require_close("relations", kept.relation, case.positives.relation[:rows], tolerance=0)
    require(kept.head.joint.requires_grad, "the positives have lost their gradient")


def _true_entities(case: _Case) -> None:
    """What is generated is no copy of the positive itself: in all views together it differs from the true entity."""
    generated = case.generate()
    views = torch.stack(list(generated.views.values()))
    true = generated.positives.replaced(case.generator.view_names)[:, None].detach()
    same = (views == true).all(-1).all(0)
    require(not bool(same.any()), f"{int(same.sum())} of {same.numel()} negatives are the true entity")


def _own_loss(case: _Case) -> None:
    """Loss is one finite number that reaches all of its parameters; or None, if it has none."""
    learned = {name: p for name, p in case.generator.named_parameters() if p.requires_grad}
    loss = case.generator.loss(case.positives, case.rng("loss"))
    require((loss is not None) == bool(learned), f"loss is {loss}, with {len(learned)} tensors of parameters")
    if loss is None:
        return
    require_shape("loss", loss, ())
    require_finite("loss", loss)
    torch.autograd.backward(loss)
    for name, parameter in learned.items():
        require(parameter.grad is not None, f"the loss does not reach {name}")
        require_finite(f"the gradient of {name}", parameter.grad)  # type: ignore[arg-type]


def _detached(case: _Case) -> None:
    """Its loss goes back through the embedded positives if and only if `detach_inputs` is false."""
    loss = case.generator.loss(case.positives, case.rng("loss"))
    if loss is None:
        return
    torch.autograd.backward(loss, retain_graph=not case.generator.detach_inputs)
    gradient = case.model.encoder.structure.grad
    reached = gradient is not None and bool(gradient.to_dense().any())
    told = f"detach_inputs={case.generator.detach_inputs}, and the loss {'reaches' if reached else 'does not reach'}"
    require(reached != case.generator.detach_inputs, f"{told} the entities of the model")
    # the step goes back through them once more
    torch.autograd.backward(case.positives.head.joint.sum())


def _drawn_from_the_stream(case: _Case) -> None:
    """The generator of random numbers fixes loss and samples; another one makes others; no other is used."""
    found = []
    for _ in range(2):
        case.generator = case.make()
        before = torch.get_rng_state()
        loss = case.generator.loss(case.positives, case.rng("loss"))
        found.append((loss, torch.stack(list(case.generate().views.values()))))
        require(torch.equal(torch.get_rng_state(), before), "the global generator has moved")
    (loss, samples), (again, same) = found
    require_equal("samples, made again", same, samples)
    if loss is not None and again is not None:
        require_equal("loss, computed again", again, loss)
    other = case.generator.generate(case.positives, case.rng("another"))
    require(not torch.equal(torch.stack(list(other.views.values())), samples), "another stream makes the same")


def _model_left_alone(case: _Case) -> None:
    """Encoder and scorer are no part of it: neither of its parameters, nor of its state, nor changed by generating."""
    own = {id(parameter) for parameter in case.generator.parameters()}
    for name, parameter in case.model.named_parameters():
        require(id(parameter) not in own, f"{name} of the model is its parameter")
    parts = {id(part) for part in case.generator.modules()}
    require(not parts & {id(case.model.encoder), id(case.model.scorer)}, "encoder or scorer is a part of it")
    before = {name: value.clone() for name, value in case.model.state_dict().items()}
    case.generate()
    for name, value in case.model.state_dict().items():
        require_equal(name, value, before[name])


def _state(case: _Case) -> None:
    """Another one that takes its state dict generates what it generates, after it has learned."""
    case.generator.loss(case.positives, case.rng("loss"))
    other = case.make(seed=2)
    other.load_state_dict(case.generator.state_dict())
    expected = case.generate()
    case.generator = other
    for name, view in case.generate().views.items():
        require_close(f"view {name} of the other", view, expected.views[name], tolerance=1e-5)


def _trained_on(case: _Case) -> None:
    """The model learns from what it makes, by scores of each view and of all fused; the generator does not."""
    encoder, scorer, levels = case.model.encoder, case.model.scorer, case.generator.levels
    for kind in ("mean_score", "fused"):
        loss_of, generated = HardnessAdaptiveLoss(kind), case.generate()
        kept = generated.positives
        positive = scorer(kept.head.joint, kept.relation, kept.tail.joint)
        loss = loss_of(positive, loss_of.score(generated, encoder, scorer), levels, scorer)
        require_finite(f"the hardness-adaptive loss ({kind})", loss)
        torch.autograd.backward(loss, retain_graph=True)
        require(encoder.structure.grad is not None, f"the loss ({kind}) does not reach the model")
        reached = [name for name, p in case.generator.named_parameters() if p.grad is not None]
        require(not reached, f"the loss ({kind}) of the model reaches {reached[:3]}")
        require(len(scores_by_view(generated, scorer)) == len(generated.views), "a view has no scores")


_PROMISES = [
    _names, _samples, _negatives, _true_entities, _own_loss, _detached, _drawn_from_the_stream, _model_left_alone,
    _state, _trained_on,
]  # fmt: skip
