"""Rows come out of every format as they went in, and a file is whole or not there."""

import json

import pytest

from dhns.errors import InputError
from dhns.results.record_stream import record_stream, require_stream_kind

COLUMNS = {"line": int, "head": str, "score": float, "accepted": bool}
ROWS = [
    {"line": 1, "head": 'a, "b"', "score": 0.5, "accepted": True},
    {"line": 2, "head": "c", "score": None, "accepted": False},
]


def write(path, rows=ROWS):
    with record_stream(path, COLUMNS) as out:
        out(rows[:1])
        out([])
        out(rows[1:])


def test_formats(tmp_path):
    write(tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text() == 'line,head,score,accepted\n1,"a, ""b""",0.5,true\n2,c,,false\n'
    write(tmp_path / "o.tsv")
    assert (tmp_path / "o.tsv").read_text() == 'line\thead\tscore\taccepted\n1\ta, "b"\t0.5\ttrue\n2\tc\t\tfalse\n'
    write(tmp_path / "o.jsonl")
    assert [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()] == ROWS


def test_parquet(tmp_path):
    import pyarrow.parquet as parquet

    write(tmp_path / "o.parquet")
    table = parquet.read_table(tmp_path / "o.parquet")
    assert table.to_pylist() == ROWS
    assert [str(kind) for kind in table.schema.types] == ["int64", "string", "double", "bool"]
    write(tmp_path / "empty.parquet", [])
    assert parquet.read_table(tmp_path / "empty.parquet").column_names == list(COLUMNS)


@pytest.mark.parametrize("name", ["o.csv", "o.tsv", "o.jsonl", "o.parquet"])
def test_what_fails_leaves_the_old_file(tmp_path, name):
    (tmp_path / name).write_text("old")

    def stop_midway():
        with record_stream(tmp_path / name, COLUMNS) as out:
            out(ROWS)
            raise RuntimeError("mid-way")

    with pytest.raises(RuntimeError, match="mid-way"):
        stop_midway()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "old")]


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"must end in .csv, .tsv, .jsonl, .ndjson or .parquet"):
        require_stream_kind(tmp_path / "o.xlsx")
    (tmp_path / "o.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        require_stream_kind(tmp_path / "o.csv")
    with pytest.raises(InputError, match=r"holds a tab or a line end, which a .tsv file cannot"):
        write(tmp_path / "o.tsv", [ROWS[0] | {"head": "a\tb"}])
