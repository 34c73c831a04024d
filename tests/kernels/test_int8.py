"""Products of 8-bit integers are those of the numbers that they stand for, up to rounding."""

import pytest
import torch
from torch.nn.functional import linear

from dhns.errors import InputError
from dhns.kernels import int8
from dhns.kernels.int8 import Int8Linear

pytestmark = pytest.mark.skipif(not int8.supported("cpu"), reason="this processor has no exact products of int8")


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [None, normal(48, seed=3)], ids=["no bias", "bias"])
def test_a_layer_is_the_linear_one_up_to_rounding(dtype, bias):
    # rows and outputs of very different lengths, which one scale for all would round to nothing
    weight = normal(48, 64) * torch.logspace(-3, 3, 48)[:, None]
    rows = normal(37, 64, seed=1) * torch.logspace(-2, 4, 37)[:, None]
    found = Int8Linear(weight, bias, dtype)(rows)
    exact = linear(rows, weight, bias)
    assert found.dtype == dtype
    length = rows.norm(dim=1, keepdim=True) * weight.norm(dim=1)
    assert ((found.float() - exact).abs() <= 0.01 * (length + exact.abs())).all()


def test_whole_numbers_are_exact():
    weight, rows = (torch.randint(-127, 128, (n, 64), generator=torch.Generator().manual_seed(n)) for n in (16, 24))
    weight[:, 0] = rows[:, 0] = 127  # every scale is one
    assert torch.equal(Int8Linear(weight.float())(rows.float()), (rows @ weight.T).float())


def test_rows_of_zeros_stay_zeros():
    assert not Int8Linear(normal(48, 64))(torch.zeros(5, 64)).any()


def test_a_device_without_exact_products_is_refused(monkeypatch):
    monkeypatch.setattr("torch._int_mm", lambda a, b: torch.full((len(a), b.shape[1]), 2**15 - 1))
    int8.supported.cache_clear()
    try:
        with pytest.raises(InputError, match=r"cpu.*generator\.model\.int8=false"):
            Int8Linear(normal(4, 8))
    finally:
        int8.supported.cache_clear()
    assert not int8.supported("cuda")
