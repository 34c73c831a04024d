"""The device that a command computes on."""

from __future__ import annotations

import torch

from dhns.errors import InputError


def kind_of(accelerator: str) -> str:
    """The type of device that a training with ``trainer.accelerator`` takes here."""
    return "cpu" if accelerator == "cpu" else choose_device("auto").type


def choose_device(name: str) -> torch.device:
    """``auto`` is the accelerator of this machine, if it has one; anything else is a torch device name.

    Raises:
        InputError: there is no such device here.
    """
    if name == "auto":
        # a build for CUDA names an accelerator, whether this machine has one or not
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        probe = torch.zeros(1, device=name)
        probe.item()  # torch knows devices that only pretend to compute
        return probe.device
    except (RuntimeError, AssertionError, ImportError) as error:
        raise InputError(f"device '{name}' is not usable here: {str(error).splitlines()[0]}; use device=cpu") from None
