"""Numbers of the settings are sent to a device once."""

import torch

from dhns.kernels.constants import constant


def test_numbers_are_sent_once_per_type_and_device():
    like = torch.zeros(2)
    first = constant((0.5, 2), like)
    assert first.tolist() == [0.5, 2]
    assert constant([0.5, 2], torch.ones(7)) is first
    assert constant((0.5, 2), like.double()).dtype == torch.float64
    assert constant((0.5, 2), like.to("meta")).device.type == "meta"


def test_what_a_validation_sends_first_can_be_trained_with():
    with torch.inference_mode():
        number = constant((0.125,), torch.zeros(1))
    weight = torch.ones(1, requires_grad=True)
    (weight * number).sum().backward()
    assert weight.grad.tolist() == [0.125]
