"""DiffHEG by its settings, as the files of conf/generator have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from dhns.encoders.encoder import EntityEncoder
from dhns.generators.diffheg.chain import Chain
from dhns.generators.diffheg.conditioning import Conditioning
from dhns.generators.diffheg.denoiser import Denoiser
from dhns.generators.diffheg.generator import DiffHEG
from dhns.generators.diffheg.objective import Objective
from dhns.generators.diffheg.schedule import NoiseSchedule
from dhns.generators.levels import HardnessLevel
from dhns.ranges import Count, Fraction
from dhns.scorers.scorer import Scorer


def diffheg(
    encoder: EntityEncoder,
    scorer: Scorer,
    levels: Sequence[HardnessLevel],
    schedule: NoiseSchedule,
    denoiser: Callable[..., Denoiser],
    multimodal: bool = Conditioning.multimodal,
    condition_on: Literal["observed", "shuffled"] = Conditioning.on,
    prediction: Literal["noise", "velocity"] = Objective.prediction,
    loss_kind: Literal["mse", "l1"] = Objective.loss_kind,
    shared_noise: bool = Objective.shared_noise,
    detach_inputs: bool = Objective.detach_inputs,
    sampling_steps: Count | None = Chain.sampling_steps,
    eta: Fraction = Chain.eta,
    head_chain: Literal["own", "from_tail"] = Chain.head_chain,
    copies: Count = Chain.copies,
    int8: bool = Chain.int8,
    standardize: bool = False,
    rows: Count | None = None,
) -> DiffHEG:
    """`DiffHEG` by settings that lie side by side, whose names stored runs and command lines have.

    See `Conditioning` for ``multimodal`` and ``condition_on``; `Objective` for ``prediction``, ``loss_kind``,
    ``shared_noise`` and ``detach_inputs``; `Chain` for ``sampling_steps``, ``eta``, ``head_chain``, ``copies`` and
    ``int8``; `DiffHEG` for the others.
    """
    return DiffHEG(
        encoder,
        scorer,
        levels,
        schedule,
        denoiser,
        Conditioning(multimodal, condition_on),
        Objective(prediction, loss_kind, shared_noise, detach_inputs),
        Chain(sampling_steps, eta, head_chain, copies, int8),
        standardize,
        rows,
    )
