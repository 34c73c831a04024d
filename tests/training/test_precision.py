"""bf16-mixed takes the step of float32 up to its 8 bits, in every family of models, and leaves parameters in float32.

That 16-mixed is refused before anything is read: `test_trainer_settings.py`.
"""

import pytest
import torch

MODELS = (
    "rotate", "complex_n3", "tucker_n3", "pairre", "ote", "transae", "rsme", "otkge", "adamf_mat", "dhns",
)  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_a_step_in_bf16_is_the_step_up_to_its_precision(make_module, step, model):
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        module = make_module(f"model={model}")
        before = {name: value.detach().clone() for name, value in module.named_parameters()}
        trainer = step(module, precision=precision)
        losses.append(trainer.callback_metrics["train/loss"].item())
        for name, value in module.named_parameters():
            assert value.dtype == torch.float32
            assert value.isfinite().all(), name
        assert any(not torch.equal(value, before[name]) for name, value in module.named_parameters())
    assert losses[1] == pytest.approx(losses[0], rel=2e-2)
