"""Names and labels are printed as they are: nothing in them is markup, and nothing goes round the one console."""

import ast
import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

import dhns
from dhns.console import DESCRIPTION, PlainConsole, markdown_table, progress_bar, track
from dhns.results.tables import show, two_columns

PACKAGE = Path(dhns.__file__).parent
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "console.py")
HARMLESS = {
    "rich": {"box"},
    "rich.table": {"Table"},
    "rich.text": {"Text"},
    "rich.progress": {"BarColumn", "DownloadColumn", "MofNCompleteColumn", "TimeElapsedColumn", "TransferSpeedColumn"},
}
"""What of rich reads no text of its own accord."""


def ways_round(source):
    """What a module takes of rich that could read markup."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "rich")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rich":
            yield from (alias.name for alias in node.names if alias.name not in HARMLESS.get(node.module, ()))
        elif isinstance(node, ast.Attribute) and node.attr in ("from_markup", "from_ansi"):
            yield node.attr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_module_goes_round_the_console(path):
    assert not list(ways_round(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "source",
    ["from rich.console import Console", "from rich import print", "import rich", "from rich.progress import track",
     "from rich.progress import TextColumn", "import rich.markup", "Text.from_markup('x')"],
)  # fmt: skip
def test_the_search_finds(source):
    assert list(ways_round(source))


def printed(print_it, *arguments):
    out = io.StringIO()
    with redirect_stdout(out):
        print_it(*arguments)
    return out.getvalue()


ODD = ["[/x]", "Mercury [planet]", ":smile:", "[bold]a[/bold]", "[link=x]y", "\\[a]", "{a}", "[@click=f]b"]


@pytest.mark.parametrize("text", ODD)
def test_tables_hold_names_as_they_are(text):
    table = Table(title=f"title {text}")
    table.add_column(f"column {text}")
    table.add_row(f"cell {text}")
    for part in ("title", "column", "cell"):
        assert f"{part} {text}" in printed(show, table)
    assert f"cell {text}" in printed(show, two_columns("", [("name", f"cell {text}")]))


@given(st.text(st.sampled_from("[]/\\:abx=@#{}"), max_size=12))
def test_any_name_is_printed_as_it_is(text):
    assert f"<{text}>" in printed(lambda: PlainConsole(width=100).print(f"<{text}>"))


@pytest.mark.parametrize("text", ODD)
def test_bars_describe_by_names_as_they_are(text):
    with progress_bar(DESCRIPTION) as bar:
        task = bar.add_task(text, total=1)
    assert DESCRIPTION.render(bar.tasks[task]).plain == text
    assert list(track([1, 2], text, show=False)) == [1, 2]


def test_markdown_keeps_its_columns():
    table = two_columns("", [("a|b", "c")])
    table.show_header = True
    lines = printed(show, table, True).splitlines()
    assert any("a\\|b" in line and line.count(" | ") == 1 for line in lines), lines


def test_a_row_of_a_document_is_one_line_and_its_numbers_are_as_they_are():
    long = "long " * 60
    lines = markdown_table(["name", "1e5"], [(long, "0.50"), ("007", "1.0")], ["left", "right"]).splitlines()
    assert len(lines) == 4
    assert [cell.strip() for cell in lines[2].split("|")[1:3]] == [long.strip(), "0.50"]
    assert [cell.strip() for cell in lines[3].split("|")[1:3]] == ["007", "1.0"]
    assert lines[1].startswith("|:--")
    assert lines[1].endswith("--:|")
