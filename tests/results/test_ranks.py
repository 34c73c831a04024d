"""The ranks that a run keeps."""

import numpy as np
import pytest

from dhns.errors import InputError
from dhns.results.ranks import FILE_NAME, RankedQueries, read_ranks, read_relation_names, write_ranks

RANKED = RankedQueries(
    optimistic=np.array([1, 7], np.int32),
    ties=np.array([0, 3], np.int32),
    own=np.array([2, 0], np.int8),
    head_side=np.array([False, True]),
    relation=np.array([4, 4], np.int32),
    cluster=np.array([0, 1], np.int32),
    popularity=np.array([12, 0], np.int32),
)


def test_what_is_written_is_read(tmp_path):
    write_ranks(tmp_path / FILE_NAME, {"valid": RANKED, "test": RANKED})
    found = read_ranks(tmp_path / FILE_NAME)
    assert list(found) == ["valid", "test"]
    for name, array in vars(RANKED).items():
        np.testing.assert_array_equal(getattr(found["test"], name), array, strict=True)
    assert found["test"].realistic.tolist() == [1, 8.5]
    assert len(found["test"]) == 2
    assert list(read_ranks(tmp_path / FILE_NAME, "test")) == ["test"]
    assert read_ranks(tmp_path / FILE_NAME, "train") == {}


def test_names_of_relations_are_kept_beside_them(tmp_path):
    names = ("born in", "né à", "follows")
    write_ranks(tmp_path / "named.npz", {"test": RANKED}, names)
    assert list(read_ranks(tmp_path / "named.npz")) == ["test"]
    assert read_relation_names(tmp_path / "named.npz") == names
    write_ranks(tmp_path / "older.npz", {"test": RANKED})
    (tmp_path / "damaged.npz").write_bytes(b"PK")
    for name in ("older", "damaged", "absent"):
        assert read_relation_names(tmp_path / f"{name}.npz") == ()


def test_equal_ranks_are_equal_files(tmp_path):
    for name in ("a", "b"):
        write_ranks(tmp_path / name, {"test": RANKED})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("cut", [0, 40, -30])
def test_damaged_ranks_are_named(tmp_path, cut):
    path = tmp_path / FILE_NAME
    write_ranks(path, {"test": RANKED})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=rf"{FILE_NAME} holds no readable ranks"):
        read_ranks(path)


def test_missing_ranks_are_named(tmp_path):
    with pytest.raises(InputError, match="train again"):
        read_ranks(tmp_path / FILE_NAME)
