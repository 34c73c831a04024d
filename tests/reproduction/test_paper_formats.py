"""Markdown, LaTeX, CSV and the terminal show the same table."""

import csv
import io
import re

import pytest

from dhns.experiments.reproduction.paper_formats import CSV_COLUMNS, latex, long_csv, markdown, show_table, write_table
from dhns.experiments.reproduction.paper_table import Entry, PaperTable, Row, Section

NOTE = "failed (seed 0): no 'visual_features' & 5 % [x] of $y | z"
ROWS = (
    Row("", "relation frequency (learns nothing)", {"mrr": Entry(1.0), "hits@1": Entry(0.0)}),
    Row("A & B", "first_row", {"mrr": Entry(30.126, 0.5, 29.19, 1), "hits@1": Entry(20.0, 0.25, None, 2)}, (0, 1)),
    Row(
        "A & B",
        "C#",
        {"mrr": Entry(28.0, None, 29.19, 2), "hits@1": Entry(21.0, None, 21.0, 1)},
        (0,),
        (),
        ("c/seed-0",),
    ),
    Row("Last", "absent", {"mrr": Entry(published=12.3), "hits@1": Entry()}, notes=(NOTE,)),
)


def table(warning=None):
    facts = {"protocol": "clean", "budget": "short"}
    sections = (Section("toy_graph", {"splits": "train #abababab"}, ROWS), Section("Other", {}, ROWS[:1]))
    return PaperTable(2, "50% of it", ("mrr", "hits@1"), "clean", "short", warning, facts, sections)


def markdown_row(label):
    (line,) = [line for line in markdown(table()).splitlines() if f"| {label} |" in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_markdown():
    assert markdown_row(r"first\_row") == [
        "A & B", r"first\_row", "**30.13** ± 0.50", "29.19", "+0.94", "<u>20.00</u> ± 0.25", "", "",
    ]  # fmt: skip
    assert markdown_row("C#") == ["", "C#", "<u>28.00</u>", "29.19", "-1.19", "**21.00**", "21.00", "+0.00"]
    assert markdown_row("absent <sup>1</sup>") == ["Last", "absent <sup>1</sup>", "", "12.30", "", "", "", ""]
    text = markdown(table("CUT SHORT"))
    assert text.startswith("# Table 2. 50% of it\n\n> **CUT SHORT**\n")
    assert r"<sup>1</sup> failed (seed 0): no 'visual\_features' & 5 % \[x\] of $y \| z" in text
    assert r"## toy\_graph" in text
    assert "- splits: train #abababab" in text


def test_every_line_of_a_markdown_table_has_all_columns():
    lines = [line for line in markdown(table()).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {2 + 3 * 2 + 1}


def latex_row(label):
    (line,) = [line for line in latex(table()).splitlines() if f"& {label}" in line]
    assert line.endswith(r" \\")
    return [cell.strip() for cell in re.split(r"(?<!\\)&", line.removesuffix(r" \\"))]


def test_latex():
    marked = r"\textbf{30.13} $\pm$ 0.50", r"\underline{20.00} $\pm$ 0.25"
    assert latex_row(r"first\_row") == [r"A \& B", r"first\_row", marked[0], "29.19", "+0.94", marked[1], "", ""]
    assert latex_row(r"C\#")[:5] == ["", r"C\#", r"\underline{28.00}", "29.19", "-1.19"]
    assert latex_row(r"absent\textsuperscript{1}")[2:] == ["", "12.30", "", "", "", ""]
    text = latex(table("CUT SHORT"))
    assert r"\multicolumn{3}{c}{MRR} & \multicolumn{3}{c}{Hits@1} \\" in text
    assert r"\cmidrule(lr){3-5} \cmidrule(lr){6-8}" in text
    assert r"50\% of it. \textbf{CUT SHORT}" in text
    assert r"\textsuperscript{1} failed (seed 0): no 'visual\_features' \& 5 \% [x] of \$y \textbar{} z" in text


def test_latex_is_balanced_and_every_row_has_all_columns():
    text = latex(table("CUT SHORT"))
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2
    assert text.count(r"\begin{tabular}{llrrrrrr}") == text.count(r"\end{tabular}") == 2
    code = [line for line in text.splitlines() if not line.startswith("%")]
    unescaped = re.sub(r"\\[{}]", "", "\n".join(code))
    assert unescaped.count("{") == unescaped.count("}")
    rows = [line for line in code if line.endswith(r"\\") and "multicolumn" not in line]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in rows} == {7}


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("&%_#$", r"\&\%\_\#\$"),
        ("{a}", r"\{a\}"),
        ("a\\b~^", r"a\textbackslash{}b\textasciitilde{}\textasciicircum{}"),
    ],
)
def test_latex_escapes(text, escaped):
    rows = (Row("", text, {"mrr": Entry(), "hits@1": Entry()}),)
    only = PaperTable(2, "t", ("mrr", "hits@1"), "clean", "full", None, {}, (Section("Toy", {}, rows),))
    assert f"& {escaped} &" in latex(only)


def test_csv_gives_the_numbers_back():
    lines = list(csv.DictReader(io.StringIO(long_csv(table()))))
    assert tuple(lines[0]) == CSV_COLUMNS
    assert len(lines) == 2 * len(ROWS) + 2
    by_key = {(line["dataset"], line["row"], line["metric"]): line for line in lines}
    for row in ROWS:
        for metric, entry in row.entries.items():
            line = by_key["toy_graph", row.label, metric]
            found = [float(line[name]) if line[name] else None for name in ("mean", "sd", "published", "difference")]
            assert found == [entry.mean, entry.sd, entry.published, entry.difference]
            assert (line["group"], line["notes"]) == (row.group, "; ".join(row.notes))
            assert line["seeds"].split() == [str(seed) for seed in row.seeds]
            assert line["runs"].split() == list(row.folders)
            assert (line["table"], line["budget"], line["protocol"]) == ("2", "short", "clean")


def test_the_terminal_shows_all_of_it(capsys):
    show_table(table("CUT SHORT"))
    shown = capsys.readouterr().out
    assert re.search(r"│ A & B +│ +│ +│\n│ first_row +│ 30.13 ± 0.50 \(\+0.94\) │ +20.00 ± 0.25 │\n│ C# ", shown)
    assert re.search(r"│ absent \[1\] +│ +│ +│", shown)
    assert f"[1] {NOTE}" in shown
    assert "CUT SHORT" in shown
    assert shown.index("toy_graph") < shown.index("Other")


def test_files_are_whole_or_as_they_were(tmp_path, monkeypatch):
    folder = tmp_path / "outputs" / "table2"
    paths = write_table(table(), folder)
    assert [path.name for path in paths] == ["table.md", "table.tex", "table.csv"]
    assert sorted(folder.iterdir()) == sorted(paths)
    before = [path.read_text(encoding="utf-8") for path in paths]
    assert before == [markdown(table()), latex(table()), long_csv(table())]

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", crash)
    with pytest.raises(OSError, match="disk full"):
        write_table(table("CUT SHORT"), folder)
    assert [path.read_text(encoding="utf-8") for path in paths] == before
    assert sorted(folder.iterdir()) == sorted(paths)
