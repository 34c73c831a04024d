"""The Triton kernels give the numbers of the C kernels. `make test-kernels` interprets them on a processor.

They need a GPU, or ``TRITON_INTERPRET=1`` before Triton is imported: a process of their own.
"""

import importlib.util
import os

import pytest
import torch

from dhns.kernels import build, c_pairs, triton_pairs
from dhns.kernels.pairs import measure_pairs

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed: dhns[triton]"),
    pytest.mark.skipif(
        not (INTERPRETED or torch.cuda.is_available()), reason="no GPU; make test-kernels interprets the kernels"
    ),
    pytest.mark.skipif(build.library("pairs") is None, reason="no C compiler works here"),
]


def points(queries, rows, width, candidates):
    """Rows 20 and more are nobody's candidates; one is drawn several times, and one lies on its query."""
    generator = torch.Generator().manual_seed(5)
    query, table = (torch.randn(n, width, generator=generator) for n in (queries, rows))
    index = torch.randint(min(20, rows), (queries, candidates), generator=generator)
    index[0] = index[0, 0]
    query[-1] = table[index[-1, 0]]
    return query, table, index


def everything(way, device, query, table, index, measure):
    """Measures and both gradients."""
    query, table = (tensor.to(device).requires_grad_() for tensor in (query, table))
    found = way.measure_pairs(query, table, None if index is None else index.to(device), measure)
    gradients = torch.autograd.grad(found.square().sum(), (query, table))
    return [tensor.detach().cpu() for tensor in (found, *gradients)]


@pytest.mark.parametrize("measure", triton_pairs.MEASURES)
@pytest.mark.parametrize("which", ["some rows", "all rows"])
@pytest.mark.parametrize("sizes", [(7, 23, 38, 9), (3, 40, 260, 35), (1, 1, 2, 1)], ids=str)
def test_measures_and_gradients_are_those_of_the_c_kernel(measure, which, sizes):
    query, table, index = points(*sizes)
    index = index if which == "some rows" else None
    expected = everything(c_pairs, "cpu", query, table, index, measure)
    for value, other in zip(everything(triton_pairs, DEVICE, query, table, index, measure), expected, strict=True):
        torch.testing.assert_close(value, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("measure", triton_pairs.MEASURES)
def test_the_same_gradients_to_the_last_bit_every_time(measure):
    case = points(7, 23, 38, 9)
    first, again = (everything(triton_pairs, DEVICE, *case, measure) for _ in range(2))
    assert all(map(torch.equal, first, again))


def test_nan_and_infinity_stay_what_they_are_and_rows_outside_of_the_table_are_nan():
    query, table, index = points(7, 23, 38, 9)
    query[2, 4], query[3, 5], index[4, 1], index[5, 2] = float("nan"), float("inf"), 23, -1
    found = triton_pairs.measure_pairs(*(tensor.to(DEVICE) for tensor in (query, table, index)), "modulus").cpu()
    assert found[2].isnan().all()
    assert found[3].isinf().all()
    assert found.isnan().nonzero()[9:].tolist() == [[4, 1], [5, 2]]


def test_no_query_and_views_of_other_tensors():
    query, table, index = points(7, 23, 38, 9)
    wide = torch.randn(23, 80)
    wide[:, 3:41] = table
    query, wide, index = (tensor.to(DEVICE) for tensor in (query, wide, index))
    found = triton_pairs.measure_pairs(query, wide[:, 3:41], index.T.contiguous().T, "l1")
    assert torch.equal(found, triton_pairs.measure_pairs(query, wide[:, 3:41].clone(), index, "l1"))
    assert triton_pairs.measure_pairs(query[:0], wide, None, "l1").shape == (0, 23)


@pytest.mark.skipif(INTERPRETED, reason="needs a GPU")
def test_a_gpu_takes_them():
    query, table, index = (tensor.to(DEVICE) for tensor in points(7, 23, 38, 9))
    assert triton_pairs.usable(query, table)
    assert torch.equal(measure_pairs(query, table, index, "l1"), triton_pairs.measure_pairs(query, table, index, "l1"))
