"""What is wrong with a file or a line is told as it is."""

import gzip

import pytest

from dhns.errors import InputError
from dhns.graph.text_files import read_lines, read_table, require_columns


@pytest.fixture
def write(tmp_path):
    def written(content, name="x.tsv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff" * 200, "not a text file: it has no line ends, tabs or spaces"),
        ("a\tr\tb\n".encode("utf-16"), "the file is in UTF-16; save it in UTF-8"),
        ("a\tr\tb\n".encode("utf-16-le"), "the file is in UTF-16; save it in UTF-8"),
        ("a\tr\tb\n".encode("utf-16-be"), "the file is in UTF-16; save it in UTF-8"),
        ("a\tr\tb\n".encode("utf-32"), "the file is in UTF-32; save it in UTF-8"),
        ("a\tr\tb\né\tr\tb\n".encode("latin-1"), r"line 2: not UTF-8 \(byte 0xe9\); if this is a text file, save it"),
        ("Я\tr\tb\n".encode("cp1251"), r"line 1: not UTF-8 \(byte 0xdf\); if this is a text file"),
        (gzip.compress(b"a\tr\tb\n", mtime=0), r"the file is packed by gzip; unpack it, or end its name in \.gz"),
        (b"PK\x03\x04\xff\n", "the file is a zip archive; unpack it"),
        (b" \n\n", "the file is empty"),
    ],
)
def test_files_that_are_not_what_is_expected(write, content, message):
    with pytest.raises(InputError, match=rf"x\.tsv(, |: ){message}"):
        read_lines(write(content))


@pytest.mark.parametrize("content", ["a\0b\tr\tc\n", "ab\tr\tc\n", "x\n", "é\n"])
def test_names_of_any_characters_are_text(write, content):
    assert read_lines(write(content)) == [content.rstrip("\n")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(write, end):
    assert read_lines(write(f"a\u2028b{end}c{end}{end}")) == ["a\u2028b", "c"]


def test_packed_files(write):
    packed = gzip.compress(b"a\tr\tb\n" * 100, mtime=0)
    assert len(read_lines(write(packed, "x.tsv.gz"))) == 100
    for damaged in (packed[:20], packed[:-6], b"a\tr\tb\n", packed[:15] + b"\0" + packed[16:]):
        with pytest.raises(InputError, match=r"x\.tsv\.gz: its name says gzip, but it cannot be unpacked"):
            read_lines(write(damaged, "x.tsv.gz"))


def test_what_is_no_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_lines(tmp_path / "x.tsv")
    with pytest.raises(InputError, match="a folder, a file is expected"):
        read_lines(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a\tr\tb\t", "a tab too many at the end of the line; remove it"),
        ("\ta\tr\tb", "a tab too many at the start of the line; remove it"),
        ("a\t\tr\tb", r"4 columns, expected 3 \(head relation tail\)"),
        ("a\tr\t", r"column 3 \(tail\) is empty"),
        ("a\t \tb", r"column 2 \(relation\) is empty"),
        ("a\tr", r"2 columns, expected 3 \(head relation tail\)"),
        ("a", r"1 column, expected 3 \(head relation tail\)"),
        ("", "the line is blank; remove it"),
        (" \t\t ", "the line is blank; remove it"),
        ("a r b", r"columns separated by spaces; separate the 3 \(head relation tail\) by tabs"),
        ("a,r,b", r"columns separated by commas; .* by tabs, or end the file's name in \.csv"),
        ("a;r;b", "columns separated by semicolons"),
        ("New York,part of,USA", "columns separated by commas"),
    ],
)
def test_lines_that_are_not_three_columns(write, line, message):
    path = write(f"a\tr\tb\n{line}\na\tr\tb\n")
    with pytest.raises(InputError, match=rf"x\.tsv, line 2: ({message})"):
        require_columns(path, read_table(path), "head relation tail", first_line=1)
