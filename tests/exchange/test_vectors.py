"""Vectors in the formats of other programs, and read back from them."""

import json
import sys

import numpy as np
import pytest
import safetensors
from safetensors.numpy import load_file

from dhns.errors import InputError
from dhns.exchange.vectors import NamedVectors, require_format, write_vectors

RANDOM = np.random.default_rng(0)
KEYS, LABELS = ["a", "b", "c"], ["Ægir", 'b, "2"', "c"]
ENTITIES = NamedVectors(
    "entity",
    KEYS,
    LABELS,
    RANDOM.normal(size=(3, 4)).astype(np.float32),
    {name: RANDOM.normal(size=(3, 2)).astype(np.float32) for name in ("structure", "visual")},
    {"structure": np.ones(3, dtype=bool), "visual": np.array([True, False, True])},
)
RELATIONS = NamedVectors(
    "relation", ["r", "r (reciprocal)"], ["R", "R (reciprocal)"], np.float32([[0.1] * 2, [1e-9] * 2])
)


def write(folder, name, kind="auto"):
    return write_vectors(folder / name, ENTITIES, RELATIONS, kind)


def check_arrays(arrays):
    np.testing.assert_array_equal(arrays["entities"], ENTITIES.vectors)
    np.testing.assert_array_equal(arrays["relations"], RELATIONS.vectors)
    for name in ENTITIES.views:
        np.testing.assert_array_equal(arrays[f"view_{name}"], ENTITIES.views[name])
        np.testing.assert_array_equal(arrays[f"present_{name}"], ENTITIES.present[name])


def test_safetensors(tmp_path):
    (path,) = write(tmp_path, "x.safetensors")
    check_arrays(load_file(path))
    with safetensors.safe_open(path, "np") as file:
        header = {name: json.loads(text) for name, text in file.metadata().items()}
    assert header == {
        "entity_keys": KEYS,
        "entity_labels": LABELS,
        "relation_keys": RELATIONS.keys,
        "relation_labels": RELATIONS.labels,
    }


def test_npz(tmp_path):
    (path,) = write(tmp_path, "x.npz")
    with np.load(path, allow_pickle=False) as archive:
        check_arrays(archive)
        assert archive["entity_labels"].tolist() == LABELS
        assert archive["relation_keys"].tolist() == RELATIONS.keys


def check_rows(rows, vector):
    """Dictionaries with the columns of a table; ``vector`` turns a cell into numbers, None if it is empty."""
    assert [row["kind"] for row in rows] == ["entity"] * 3 + ["relation"] * 2
    assert [row["key"] for row in rows] == KEYS + RELATIONS.keys
    assert [row["label"] for row in rows] == LABELS + RELATIONS.labels
    for row, expected in zip(rows, [*ENTITIES.vectors, *RELATIONS.vectors], strict=True):
        np.testing.assert_array_equal(np.float32(vector(row["vector"])), expected)
    for name, view in ENTITIES.views.items():
        for place, row in enumerate(rows):
            has = place < 3 and ENTITIES.present[name][place]
            assert (vector(row[f"view_{name}"]) is not None) == has
            if has:
                np.testing.assert_array_equal(np.float32(vector(row[f"view_{name}"])), view[place])


def test_parquet(tmp_path):
    import pyarrow.parquet as parquet

    (path,) = write(tmp_path, "x.parquet")
    check_rows(parquet.read_table(path).to_pylist(), lambda cell: cell)


def test_tsv(tmp_path):
    (path,) = write(tmp_path, "x.tsv")
    header, *rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    table = [dict(zip(header, row, strict=True)) for row in rows]
    check_rows(table, lambda cell: [float(number) for number in cell.split()] or None)


@pytest.mark.parametrize("name", ["vectors", "vectors.d"])
def test_projector(tmp_path, name):
    files = write(tmp_path, name, "auto" if name == "vectors" else "projector")
    assert {path.parent for path in files} == {tmp_path / name}
    tensors = np.loadtxt(tmp_path / name / "tensors.tsv", dtype=np.float32)
    np.testing.assert_array_equal(tensors, ENTITIES.vectors)
    metadata = (tmp_path / name / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    assert metadata == ["label\tkey", *(f"{label}\t{key}" for label, key in zip(LABELS, KEYS, strict=True))]
    np.testing.assert_array_equal(
        np.loadtxt(tmp_path / name / "view_visual_tensors.tsv", dtype=np.float32), ENTITIES.views["visual"][[0, 2]]
    )
    assert (tmp_path / name / "view_visual_metadata.tsv").read_text(encoding="utf-8").count("\n") == 3


def test_tensorboard_reads_the_index_of_the_projector(tmp_path):
    pytest.importorskip("tensorboard", reason="needs the extra tensorboard")
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    write(tmp_path, "vectors")
    config = text_format.Parse((tmp_path / "vectors" / "projector_config.pbtxt").read_text(), ProjectorConfig())
    assert [embedding.tensor_name for embedding in config.embeddings] == [
        "entities",
        "relations",
        "view_structure",
        "view_visual",
    ]
    for embedding in config.embeddings:
        assert (tmp_path / "vectors" / embedding.tensor_path).is_file()
        assert (tmp_path / "vectors" / embedding.metadata_path).is_file()


def test_places_that_say_no_format_or_are_taken_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"x\.xls: 'xls' is no format; expected a name that ends in \.safetensors, "):
        require_format(tmp_path / "x.xls", "auto")
    with pytest.raises(InputError, match="'csv' is no format"):
        require_format(tmp_path / "x", "csv")
    with pytest.raises(InputError, match="is a folder; give a file"):
        require_format(tmp_path, "npz")
    write(tmp_path, "vectors")
    with pytest.raises(InputError, match="is there already"):
        write(tmp_path, "vectors")
    odd = NamedVectors("entity", ["a\tb"], ["a"], np.zeros((1, 1), np.float32))
    with pytest.raises(InputError, match=r"x\.tsv: .* has a tab or a line end, which TSV cannot hold; use \.parquet"):
        write_vectors(tmp_path / "x.tsv", odd, RELATIONS)
    write_vectors(tmp_path / "odd", odd, RELATIONS)
    assert (tmp_path / "odd" / "metadata.tsv").read_text(encoding="utf-8") == "label\tkey\na\ta b\n"


def test_without_the_extra_the_message_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"writing \.parquet needs pyarrow: pip install 'dhns\[exchange\]'"):
        write(tmp_path, "x.parquet")
