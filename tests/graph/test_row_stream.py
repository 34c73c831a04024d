"""Queries and triples are read alike from every format, and a line that says nothing is told by its number."""

import gzip
import json

import pytest

from dhns.errors import InputError
from dhns.graph.readers.row_stream import Fault, Row, RowStream

ROWS = [("a, b", "r", None), (None, "r", "c"), ("d", 'x "y"', "e")]
EXPECTED = [Row(number, *parts) for number, parts in enumerate(ROWS, 1)]


def written(folder, name, content):
    path = folder / name
    data = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return path


def rows_of(folder, name, content):
    return list(RowStream(written(folder, name, content)))


CSV = '"a, b",r,\n?,r,c\nd,"x ""y""",e\n'
TSV = 'a, b\tr\t\n?\tr\tc\nd\tx "y"\te\n'
JSON = "".join(f"{json.dumps(dict(zip(('head', 'relation', 'tail'), parts, strict=True)))}\n" for parts in ROWS)
LISTS = "".join(f"{json.dumps(parts)}\n" for parts in ROWS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.csv", CSV),
        ("q.tsv", TSV),
        ("q.txt", TSV.replace("\n", "\r\n")),
        ("q.tsv.gz", TSV),
        ("q.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("q.jsonl", JSON),
        ("q.ndjson.gz", LISTS),
        ("q.TSV", TSV.rstrip("\n") + "\n\n"),
    ],
)
def test_formats_say_the_same(tmp_path, name, content):
    assert rows_of(tmp_path, name, content) == EXPECTED


def test_parquet_says_the_same(tmp_path):
    import pyarrow
    from pyarrow import parquet

    columns = dict(zip(("head", "relation", "tail"), map(list, zip(*ROWS, strict=True)), strict=True))
    parquet.write_table(pyarrow.table({"extra": [1, 2, 3], **columns}), tmp_path / "q.parquet")
    stream = RowStream(tmp_path / "q.parquet")
    assert list(stream) == EXPECTED
    assert (stream.unit, stream.count()) == ("row", 3)
    # ids with an empty cell, as pandas writes them
    parquet.write_table(
        pyarrow.table({"head": [7.0, float("nan"), 0.5], "relation": ["r"] * 3}), tmp_path / "i.parquet"
    )
    found = list(RowStream(tmp_path / "i.parquet"))
    assert found[:2] == [Row(1, 7, "r", None), Row(2, None, "r", None)]
    assert found[2] == Fault(3, "head is 0.5; expected a name, or a whole number as an id")
    parquet.write_table(pyarrow.table({"from_here": ["a"], "weight": [1]}), tmp_path / "n.parquet")
    with pytest.raises(InputError, match="its columns are from_here, weight; expected head, relation and tail"):
        list(RowStream(tmp_path / "n.parquet"))


@pytest.mark.parametrize(
    ("header", "notes"),
    [("tail\thead\trelation\trank", 0), ("object\tsubject\tpredicate\tnote", 1)],
)
def test_a_header_orders_the_columns_and_leaves_others_out(tmp_path, header, notes):
    stream = RowStream(written(tmp_path, "q.tsv", f"{header}\nt\th\tr\t3\n"))
    assert list(stream) == [Row(2, "h", "r", "t")]
    assert len(stream.notes) == notes


def test_a_column_that_a_header_does_not_name_is_asked_for(tmp_path):
    assert rows_of(tmp_path, "q.csv", "head,relation\nh,r\n") == [Row(2, "h", "r", None)]


@pytest.mark.parametrize(
    ("name", "line", "fault"),
    [
        ("q.tsv", "a\tb", "2 columns, expected 3 (head relation tail); a header may name them"),
        ("q.csv", 'a,"b,c', "unexpected end of data; each row stands on one line, and quotes in a field are doubled"),
        ("q.tsv", b"a\tb\xff\tc", "not UTF-8 (byte 0xff)"),
        ("q.jsonl", "{head: 1}", "not JSON: "),
        ("q.jsonl", '["a", "b"]', "expected an object with head, relation and tail, or a list of these three"),
        ("q.jsonl", '{"heda": "a"}', "expected an object with head"),
        ("q.jsonl", '{"head": true, "tail": "a"}', "head is True; expected a name, or a whole number as an id"),
        (
            "q.jsonl",
            r'{"head": "\ud800", "tail": "a"}',
            r"head is '\ud800', which is no text: a surrogate stands alone",
        ),
    ],
)
def test_a_bad_line_has_its_number_and_the_next_is_read(tmp_path, name, line, fault):
    good = '["a", "b", null]' if name.endswith("jsonl") else "a,b,".replace(",", "," if "csv" in name else "\t")
    line = line if isinstance(line, bytes) else line.encode()
    first, second, third = rows_of(tmp_path, name, b"\n".join([good.encode(), line, good.encode()]))
    assert (second.number, third) == (2, Row(3, *first[1:]))
    assert second.words.startswith(fault)


def test_lines_are_counted_with_and_without_an_end(tmp_path):
    assert [RowStream(written(tmp_path, "q.tsv", text)).count() for text in ("", "a\n", "a\nb", "a\n\n")] == [
        0,
        1,
        2,
        2,
    ]


@pytest.mark.parametrize("name", ["q.csv", "q.csv.gz"])
def test_lines_may_end_as_excel_on_macos_ends_them(tmp_path, name):
    text = b"head,relation,tail\ra,r,b\r\rc,r,d"
    (tmp_path / name).write_bytes(gzip.compress(text, mtime=0) if name.endswith("gz") else text)
    stream = RowStream(tmp_path / name)
    assert list(stream) == [Row(2, "a", "r", "b"), Row(4, "c", "r", "d")]
    assert stream.count() == 4


def test_a_column_that_a_header_names_twice_is_refused(tmp_path):
    import pyarrow
    from pyarrow import parquet

    with pytest.raises(InputError, match=r"q\.csv, line 1: 2 columns are called head; leave one of them"):
        rows_of(tmp_path, "q.csv", "head,relation,tail,head\na,r,b,c\n")
    table = pyarrow.Table.from_arrays([pyarrow.array(["a"])] * 3, names=["tail", "relation", "tail"])
    parquet.write_table(table, tmp_path / "q.parquet")
    with pytest.raises(InputError, match=r"q\.parquet: 2 columns are called tail"):
        list(RowStream(tmp_path / "q.parquet"))


def test_a_parquet_file_that_is_damaged_within(tmp_path):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "q.parquet"
    parquet.write_table(pyarrow.table({"head": ["abcdefgh"], "relation": ["r"]}), path, use_dictionary=False)
    path.write_bytes(path.read_bytes()[:10] + b"\xff" * 20 + path.read_bytes()[30:])
    with pytest.raises(InputError, match=r"q\.parquet: cannot be read as Parquet: "):
        list(RowStream(path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.xlsx", "", "the name must end in .tsv, .txt, .csv, .jsonl, .ndjson"),
        ("q.parquet.gz", "", "the name must end in"),
        ("q.parquet", "nothing", "cannot be read as Parquet"),
        ("q.tsv", "a\tb\tc\n".encode("utf-16"), "the file is in UTF-16; save it in UTF-8"),
        ("q.tsv", gzip.compress(b"a\tb\tc\n", mtime=0), "the file is packed by gzip"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message):
    with pytest.raises(InputError, match=message):
        rows_of(tmp_path, name, content)


def test_a_damaged_archive_and_an_absent_file(tmp_path):
    (tmp_path / "q.tsv.gz").write_bytes(gzip.compress(b"a\tb\tc\n" * 1000, mtime=0)[:-12])
    with pytest.raises(InputError, match="its name says gzip, but it cannot be unpacked"):
        list(RowStream(tmp_path / "q.tsv.gz"))
    with pytest.raises(InputError, match="no such file"):
        RowStream(tmp_path / "nowhere.tsv")
