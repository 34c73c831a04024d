"""What an encoder promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from dhns.encoders.encoder import STRUCTURE, Encoded, EntityEncoder
from dhns.errors import InputError
from dhns.generators.hardness_adaptive import match_each
from dhns.graph.missing import MissingModalities
from dhns.scorers.rotate import RotatE
from dhns.scorers.scorer import Scorer
from dhns.testing.promises import (
    own_randomness,
    require,
    require_close,
    require_equal,
    require_finite,
    require_promises,
    require_shape,
)
from dhns.testing.small_world import small_graph

LATE = 1000
"""An epoch in which an encoder that is trained in stages is in its last one."""


def check_encoder(
    make: Callable[..., EntityEncoder],
    scorer: Callable[[], Scorer] = lambda: RotatE(3),
    device: torch.device | str = "cpu",
) -> None:
    """Hold an encoder to the contract of `dhns.encoders.encoder.EntityEncoder`, in its first epoch and in a late one.

    Args:
        make: makes it from ``graph=`` and ``scorer=``, as a partial in ``conf/`` does; the graph is `small_graph`.
        scorer: makes a scorer that takes its joint embeddings.
        device: to check on.

    Raises:
        AssertionError: it breaks a promise; the message tells which, and what was seen.
    """
    with own_randomness():
        name = type(_Case(make, scorer, 0, device).encoder).__name__
        for epoch in (0, LATE):
            subject = partial(_Case, make, scorer, epoch, device)
            require_promises(f"the encoder {name}, in epoch {epoch},", _PROMISES, subject)


class _Case:
    """An encoder in evaluation mode, with a scorer and relations."""

    def __init__(
        self,
        make: Callable[..., EntityEncoder],
        scorer: Callable[[], Scorer],
        epoch: int,
        device: torch.device | str,
    ) -> None:
        self._make, self._epoch, self._device = make, epoch, device
        self.graph = small_graph()
        self.scorer = scorer().to(device).eval()
        stored = self.scorer.initial_relations(self.graph.num_relations).to(device)
        self.relations = self.scorer.prepare(stored).detach()
        self.encoder = self.make()
        self.entities = torch.arange(self.graph.num_entities, device=device)

    def make(self) -> EntityEncoder:
        """Another one, on the graph as it is now."""
        encoder = self._make(graph=self.graph, scorer=self.scorer).to(self._device).eval()
        encoder.start_epoch(self._epoch)
        return encoder

    def encode(self, entity: Tensor | None = None) -> Encoded:
        return self.encoder(entity, self.relations)  # type: ignore[no-any-return]

    def require_scorable(self, joint: Tensor) -> None:
        """The scorer takes them as heads, as tails and as a table."""
        relation = self.relations[[0] * len(joint)]
        scores = self.scorer(joint, relation, joint.roll(1, 0))
        require_shape("the scores of joint embeddings", scores, (len(joint),))
        require_finite("the scores of joint embeddings", scores)
        sides = torch.arange(len(joint), device=joint.device) % 2 == 0
        query = self.scorer.query(joint, self.scorer.directed(relation, sides))
        require_shape("match_all of joint embeddings", self.scorer.match_all(query, joint), (len(joint),) * 2)


def _views(case: _Case) -> None:
    """Views are (U, D) by name in the order of view_names, structure first, with masks (U,) of who has them."""
    encoder, encoded = case.encoder, case.encode()
    require(encoder.view_names[:1] == (STRUCTURE,), f"view_names is {encoder.view_names}")
    for part in (encoded.views, encoded.present):
        require(tuple(part) == encoder.view_names, f"{tuple(part)} for view_names {encoder.view_names}")
    for name in encoder.view_names:
        require_shape(f"view {name}", encoded.views[name], (len(case.entities), encoder.width))
        require_shape(f"mask {name}", encoded.present[name], (len(case.entities),))
        require(encoded.present[name].dtype == torch.bool, f"mask {name} is {encoded.present[name].dtype}")
        require_finite(f"view {name} where it is present", encoded.views[name][encoded.present[name]])


def _structure(case: _Case) -> None:
    """The structural view is the table `structure`, as wide as the scorer's entities, and everyone has it."""
    encoded = case.encode()
    require_shape("structure", case.encoder.structure, (case.graph.num_entities, case.scorer.entity_width))
    require_equal("the structural view", encoded.views[STRUCTURE], case.encoder.structure)
    require(bool(encoded.present[STRUCTURE].all()), "an entity lacks its structure")


def _joint(case: _Case) -> None:
    """Joint embeddings are finite, and the scorer takes them."""
    joint = case.encode().joint
    require(joint.ndim == 2 and len(joint) == len(case.entities), f"joint has shape {tuple(joint.shape)}")
    require_finite("joint", joint)
    case.require_scorable(joint)


def _selected(case: _Case) -> None:
    """Selected entities, in any order and more than once, are encoded as they are among all."""
    index = torch.tensor([3, 0, 3, 7], device=case.entities.device)
    some, among_all = case.encode(index), case.encode().rows(index)
    require_close("joint of entities [3, 0, 3, 7]", some.joint, among_all.joint, tolerance=1e-5)
    for name in case.encoder.view_names:
        require_close(f"view {name} of them", some.views[name], among_all.views[name], tolerance=1e-5)
        require_equal(f"mask {name} of them", some.present[name], among_all.present[name])


def _fused(case: _Case) -> None:
    """Fuse makes the joint embedding of real views, or where that holds more than views a vector (D) that is scored."""
    encoded = case.encode()
    stacked = {name: view.expand(3, 2, *view.shape) for name, view in encoded.views.items()}
    found = case.encoder.fuse(stacked, encoded.present)
    require(found.shape[:3] == (3, 2, len(case.entities)), f"fuse of (3, 2, 12, D) has shape {tuple(found.shape)}")
    require_finite("fuse", found)
    require_close("fuse of one level", case.encoder.fuse(encoded.views, encoded.present), found[1, 1], tolerance=1e-5)
    if found.shape[-1] != case.encoder.width or encoded.joint.shape[-1] == found.shape[-1]:
        require_close("fuse", found, encoded.joint.expand(3, 2, -1, -1), tolerance=1e-5)
    relation = case.relations[[0] * len(case.entities)]
    query = case.scorer.query(encoded.joint, relation).expand(2, -1, -1)
    require_finite("the scores of fused embeddings", match_each(case.scorer, query, found))


def _own_loss(case: _Case) -> None:
    """Its own loss is None in evaluation, and None or one finite number in training."""
    require(case.encode().loss is None, "a loss in evaluation")
    case.encoder.train()
    loss = case.encode(case.entities[:5]).loss
    if loss is not None:
        require_shape("loss", loss, ())
        require_finite("loss", loss)


def _learning(case: _Case) -> None:
    """In training gradients are finite and reach something, and the features of the graph stay as they are."""
    before = {name: modality.features.clone() for name, modality in case.graph.modalities.items()}
    encoder = case.encoder.train()
    encoded = case.encode(case.entities[:8])
    total = encoded.joint.square().sum() + sum(view.square().sum() for view in encoded.views.values())
    torch.autograd.backward(total if encoded.loss is None else total + encoded.loss)
    reached = {name: p.grad.to_dense() for name, p in encoder.named_parameters() if p.grad is not None}
    require("structure" in reached, f"the gradient does not reach structure, only {', '.join(reached) or 'nothing'}")
    for name, gradient in reached.items():
        require_finite(f"the gradient of {name}", gradient)
    torch.optim.SGD(encoder.parameters(), lr=0.1).step()
    for name, features in before.items():
        require_equal(f"{name} of the graph", case.graph.modalities[name].features, features)


def _alone(case: _Case) -> None:
    """In evaluation nothing is drawn, and the same comes again."""
    before = torch.get_rng_state()
    first = case.encode().joint
    require_equal("joint, encoded again", case.encode().joint, first)
    require(torch.equal(torch.get_rng_state(), before), "the global generator has moved")


def _state(case: _Case) -> None:
    """Another one that takes its state dict encodes as it does; the scorer is no part of it."""
    require(all(part is not case.scorer for part in case.encoder.modules()), "the scorer is a part of the encoder")
    expected, state = case.encode().joint, case.encoder.state_dict()
    torch.manual_seed(1)
    case.encoder = case.make()
    case.encoder.load_state_dict(state)
    require_close("joint of the other", case.encode().joint, expected, tolerance=1e-5)


def _missing(case: _Case) -> None:
    """Entities that lack some or all modalities are encoded, and can be scored."""
    case.graph = MissingModalities("random", 0.7).remove(case.graph)
    case.encoder = case.make()
    require_finite("joint", case.encode().joint)
    case.require_scorable(case.encode().joint)


def _without_features(case: _Case) -> None:
    """A graph without features is encoded, or refused by an InputError."""
    case.graph = replace(case.graph, modalities={})
    try:
        case.encoder = case.make()
    except InputError:
        return
    case.require_scorable(case.encode().joint)


_PROMISES = [
    _views, _structure, _joint, _selected, _fused, _own_loss, _learning, _alone, _state, _missing, _without_features,
]  # fmt: skip
