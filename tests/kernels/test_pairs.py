"""Kernels give the numbers of the formulas, C on any number of threads and torch in chunks; a lack of C is said."""

import logging

import pytest
import torch

from builders import Largest
from dhns.kernels import build, c_pairs, chunks, pairs, torch_pairs
from dhns.scorers.distance import all_distances, indexed_distance, pairwise_distance

compiled = pytest.mark.skipif(build.library("pairs") is None, reason="no C compiler works here")


@pytest.fixture(params=["l1", "l2", "modulus"])
def norm(request):
    return request.param


@pytest.fixture
def points():
    generator = torch.Generator().manual_seed(5)
    query, table = (torch.randn(n, 38, generator=generator) for n in (7, 23))
    index = torch.randint(20, (7, 9), generator=generator)  # rows 20 .. 22 are nobody's candidates
    index[0] = index[0, 0]  # drawn more than once: collects several gradients
    query[1] = table[index[1, 0]]  # a distance of zero
    return query, table, index


@pytest.fixture(params=["C", "torch"])
def way(request, monkeypatch):
    """What computes; torch in chunks that cut queries and rows."""
    if request.param == "torch":
        monkeypatch.setattr(c_pairs, "usable", lambda *_: False)
        monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", 4 * 38 * 40)
    elif build.library("pairs") is None:
        pytest.skip("no C compiler works here")
    return request.param


def with_gradients(distance, query, table):
    query, table = query.clone().requires_grad_(), table.clone().requires_grad_()
    found = distance(query, table)
    return found.detach(), *torch.autograd.grad(found.square().sum(), (query, table))


def test_candidates_have_the_distances_and_gradients_of_the_formula(points, norm, way):
    query, table, index = points
    assert c_pairs.usable(query, table) == (way == "C")
    exact = with_gradients(lambda q, t: pairwise_distance(q[:, None], t[index], norm), query.double(), table.double())
    found = with_gradients(lambda q, t: indexed_distance(q, t, index, norm), query, table)
    for value, expected in zip(found, exact, strict=True):
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-4)


def test_all_rows_have_the_distances_and_gradients_of_the_formula(points, norm, way):
    query, table, _ = points
    exact = with_gradients(lambda q, t: pairwise_distance(q[:, None], t, norm), query.double(), table.double())
    found = with_gradients(lambda q, t: all_distances(q, t, norm), query, table)
    for value, expected in zip(found, exact, strict=True):
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("rows", ["some", "all"])
def test_inner_products_have_the_values_and_gradients_of_the_formula(points, way, rows):
    query, table, index = points
    index = index if rows == "some" else None
    exact = with_gradients(
        lambda q, t: q @ t.T if index is None else (q[:, None] * t[index]).sum(-1), query.double(), table.double()
    )
    found = with_gradients(lambda q, t: pairs.measure_pairs(q, t, index, "product"), query, table)
    for value, expected in zip(found, exact, strict=True):
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-4)


@compiled
@pytest.mark.parametrize("measure", c_pairs.MEASURES)
@pytest.mark.parametrize("width", [64, 96])
def test_both_gradients_at_once_are_each_of_them_alone_to_the_last_bit(measure, width):
    generator = torch.Generator().manual_seed(5)
    query, table = (torch.randn(n, width, generator=generator) for n in (21, 150))
    query[3] = table[5]
    _, *both = with_gradients(lambda q, t: pairs.measure_pairs(q, t, None, measure), query, table)
    for place, alone in enumerate((query.clone().requires_grad_(), table.clone().requires_grad_())):
        found = pairs.measure_pairs(*((alone, table) if place == 0 else (query, alone)), None, measure)
        found.square().sum().backward()
        assert torch.equal(both[place], alone.grad)


@pytest.mark.parametrize("measure", ["l1", "l2", "modulus"])
def test_training_against_all_rows_takes_memory_for_a_chunk_and_the_scores(measure, monkeypatch):
    monkeypatch.setattr(c_pairs, "usable", lambda *_: False)
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", 2**14)
    query, table = torch.randn(40, 32, requires_grad=True), torch.randn(300, 32, requires_grad=True)
    with Largest() as largest:
        pairs.measure_pairs(query, table, None, measure).square().sum().backward()
    assert largest.numbers == 40 * 300, "no tensor is larger than the distances, with all differences 32 times as large"


def test_the_quickest_way_that_can_is_taken(points, monkeypatch):
    query, table, index = points
    for name in ("c_pairs", "triton_pairs"):
        monkeypatch.setattr(f"dhns.kernels.{name}.usable", lambda *_: True)
        monkeypatch.setattr(f"dhns.kernels.{name}.measure_pairs", lambda *_, name=name: name)
    assert pairs.measure_pairs(query, table, index, "l1") == "c_pairs"
    monkeypatch.setattr(c_pairs, "usable", lambda *_: False)
    assert pairs.measure_pairs(query, table, index, "l1") == "triton_pairs"
    monkeypatch.undo()
    assert [way.__name__.rpartition(".")[2] for way in pairs.WAYS] == ["c_pairs", "triton_pairs", "torch_pairs"]
    exact = pairs.measure_pairs(query.double(), table, index, "l1")
    assert torch.equal(exact, torch_pairs.measure_pairs(query.double(), table.double(), index, "l1"))


@compiled
def test_the_number_of_threads_changes_no_bit(points, norm):
    query, table, index = points

    def everything(threads):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            return (
                *with_gradients(lambda q, t: indexed_distance(q, t, index, norm), query, table),
                *with_gradients(lambda q, t: all_distances(q, t, norm), query, table),
            )
        finally:
            torch.set_num_threads(before)

    for alone, together in zip(everything(1), everything(3), strict=True):
        assert torch.equal(alone, together)


@compiled
def test_views_of_other_tensors_are_read_right(points, norm):
    query, table, index = points
    wide = torch.randn(23, 80)
    wide[:, 3:41] = table
    found = indexed_distance(query, wide[:, 3:41], index.T.contiguous().T, norm)
    torch.testing.assert_close(found, indexed_distance(query, table, index, norm), rtol=0, atol=0)


@compiled
def test_nan_and_infinity_stay_what_they_are(points, norm):
    query, table, index = points
    query[2, 4], query[3, 5] = float("nan"), float("inf")
    found = indexed_distance(query, table, index, norm)
    assert found[2].isnan().all()
    assert found[3].isinf().all()
    assert found[4:].isfinite().all()


@compiled
@pytest.mark.parametrize("wrong", [-1, 23])
def test_rows_outside_of_the_table_are_refused(points, wrong):
    query, table, index = points
    index[3, 2] = wrong
    with pytest.raises(IndexError, match="of a table of 23 rows"):
        indexed_distance(query, table, index, "l1")


@compiled
@pytest.mark.parametrize("some", [None, torch.tensor([[0, 1]])], ids=["all", "indexed"])
def test_queries_of_another_width_are_refused(some):
    with pytest.raises(ValueError, match="queries of width 6 for rows of width 4"):
        pairs.measure_pairs(torch.zeros(1, 6), torch.zeros(2, 4), some, "product")


@compiled
def test_denormal_numbers_stay_on_in_the_process():
    smallest = torch.tensor([1e-40])
    assert (smallest + smallest).item() > 0


@pytest.fixture
def fresh_build():
    build.library.cache_clear()
    yield
    build.library.cache_clear()


@pytest.mark.parametrize("compiler", ["", "false"], ids=["none installed", "fails"])
def test_without_a_compiler_torch_does_it_and_the_log_says_so(
    points, norm, compiler, fresh_build, monkeypatch, tmp_path, caplog
):
    query, table, index = points
    monkeypatch.setenv("CC", compiler)
    monkeypatch.setenv("PATH", "/nowhere" if not compiler else "/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        found = indexed_distance(query, table, index, norm)
        everything = all_distances(query, table, norm)
    assert not c_pairs.usable(query, table)
    assert len(caplog.records) == 1
    assert "plain torch" in caplog.text
    expected = pairwise_distance(query[:, None], table, norm)
    torch.testing.assert_close(everything, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found, expected.gather(1, index), rtol=1e-5, atol=1e-5)
