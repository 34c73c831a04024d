"""What the denoiser learns: its diffusion loss (Eq. 11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from dhns.generators.diffheg.schedule import NoiseSchedule


@dataclass(frozen=True)
class Objective:
    """What the denoiser predicts, how its error is measured, and whom that trains.

    Attributes:
        prediction: the ``noise`` (paper, code) or the ``velocity`` (Salimans & Ho, 2022), which is well-conditioned at
            every step.
        loss_kind: ``mse`` (Eq. 11) or ``l1`` (the DHNS code).
        shared_noise: heads and tails share noise and step, as in the DHNS code.
        detach_inputs: the loss trains only the denoiser (Algorithm 1); false lets it train the model too, as the DHNS
            code does.
    """

    prediction: Literal["noise", "velocity"] = "noise"
    loss_kind: Literal["mse", "l1"] = "mse"
    shared_noise: bool = False
    detach_inputs: bool = True

    def error(self, predicted: Tensor, target: Tensor) -> Tensor:
        """``(...)`` mean over coordinates of the error of predictions ``(..., D)``."""
        error = mse_loss if self.loss_kind == "mse" else l1_loss
        return error(predicted, target, reduction="none").mean(-1)

    def target(self, schedule: NoiseSchedule, clean: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """``(..., D)`` what is to be predicted from ``clean`` with ``noise`` ``(..., D)`` at steps ``(...)``."""
        if self.prediction == "noise":
            return noise
        return schedule.signal(step) * noise - schedule.noise(step) * clean
