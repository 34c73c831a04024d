"""A table of the paper as Markdown, LaTeX and CSV, and on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from dhns.console import PlainConsole
from dhns.experiments.reproduction.paper_table import METRIC_NAMES, Entry, PaperTable, Row, Section
from dhns.files import write_text
from dhns.results.estimates import Estimate
from dhns.results.records import delimited
from dhns.results.tables import show

CSV_COLUMNS = (
    "table", "dataset", "group", "row", "metric", "mean", "sd", "seeds", "published", "difference", "budget",
    "protocol", "runs", "notes", "low", "high", "against", "to_against", "to_against_low", "to_against_high",
    "p_corrected", "holds",
)  # fmt: skip
_LATEX = str.maketrans(
    {character: f"\\{character}" for character in "&%_#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
)
_MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\|*_<>`[]"})


def write_table(table: PaperTable, folder: Path) -> list[Path]:
    """Write ``table.md``, ``table.tex`` and ``table.csv``, each whole or not at all; their paths."""
    texts = {"table.md": markdown(table), "table.tex": latex(table), "table.csv": long_csv(table)}
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def markdown(table: PaperTable) -> str:
    """A section per data set, the notes of its rows below it."""
    lines = [f"# Table {table.number}. {_escaped(table.title)}", ""]
    if table.warning:
        lines += [f"> **{_escaped(table.warning)}**", ""]
    lines += [f"- {name}: {_escaped(fact)}" for name, fact in table.facts.items()]
    for section in table.sections:
        lines += ["", f"## {_escaped(section.dataset)}", ""]
        lines += [f"- {name}: {_escaped(fact)}" for name, fact in section.facts.items()]
        numbers = _numbers(section)
        columns = [c for metric in table.metrics for c in (METRIC_NAMES[metric], "paper", "difference")]
        columns[3:3] = map(_escaped, _extra(table, section))
        lines += ["", f"| | | {' | '.join(columns)} |", f"|---|---|{'---:|' * len(columns)}"]
        group = ""
        for row in section.rows:
            label = _escaped(row.label) + "".join(f" <sup>{numbers[note]}</sup>" for note in row.notes)
            cells = [c for metric in table.metrics for c in _cells(row.entries[metric], _marked_in_markdown, " ± ")]
            cells[3:3] = [f"**{text}**" if bold else text for text, bold in _extra_cells(table, section, row)]
            lines.append(f"| {_escaped(row.group) if row.group != group else ''} | {label} | {' | '.join(cells)} |")
            group = row.group
        lines += [f"\n<sup>{number}</sup> {_escaped(note)}" for note, number in numbers.items()]
    return "\n".join(lines) + "\n"


def latex(table: PaperTable) -> str:
    r"""A ``table`` environment per data set, to be read by ``\input``; needs the package ``booktabs``."""
    return "\n".join(_latex_section(table, section) for section in table.sections)


def _latex_section(table: PaperTable, section: Section) -> str:
    numbers = _numbers(section)
    extra = _extra(table, section)
    widths = [3 + len(extra), *(3 for _ in table.metrics[1:])]
    starts = [3 + sum(widths[:index]) for index in range(len(widths))]
    facts = [f"{name}: {fact}" for name, fact in (table.facts | section.facts).items()]
    warning = [rf"\textbf{{{_tex(table.warning)}}}"] if table.warning else []
    caption = " ".join(
        [f"Table {table.number} of the paper on {_tex(section.dataset)}: {_tex(table.title)}.", *warning]
    )
    heads = " & ".join(
        rf"\multicolumn{{{width}}}{{c}}{{{METRIC_NAMES[metric]}}}"
        for metric, width in zip(table.metrics, widths, strict=True)
    )
    rules = " ".join(
        rf"\cmidrule(lr){{{start}-{start + width - 1}}}" for start, width in zip(starts, widths, strict=True)
    )
    columns = ["ours", "paper", "diff."] * len(table.metrics)
    columns[3:3] = map(_tex, extra)
    lines = [
        *(f"% {fact}" for fact in facts),
        r"\begin{table}",
        r"\centering\small\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{caption}}}",
        rf"\begin{{tabular}}{{ll{'r' * sum(widths)}}}",
        r"\toprule",
        rf" & & {heads} \\",
        rules,
        rf" & & {' & '.join(columns)} \\",
    ]
    for group, rows in groupby(section.rows, key=lambda row: row.group):
        lines.append(r"\midrule")
        for index, row in enumerate(rows):
            marks = "".join(rf"\textsuperscript{{{numbers[note]}}}" for note in row.notes)
            cells = [c for metric in table.metrics for c in _cells(row.entries[metric], _marked_in_latex, r" $\pm$ ")]
            cells[3:3] = [rf"\textbf{{{text}}}" if bold else text for text, bold in _extra_cells(table, section, row)]
            lines.append(rf"{'' if index else _tex(group)} & {_tex(row.label)}{marks} & {' & '.join(cells)} \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\footnotesize \textsuperscript{{{number}}} {_tex(note)}" for note, number in numbers.items()]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def long_csv(table: PaperTable) -> str:
    """A line per data set, row and metric, numbers in percent and unrounded; lists are separated by blanks."""
    return delimited(_lines(table), CSV_COLUMNS)


def _lines(table: PaperTable) -> Iterator[dict[str, Any]]:
    for section in table.sections:
        for row in section.rows:
            for metric, entry in row.entries.items():
                yield {
                    "table": table.number,
                    "dataset": section.dataset,
                    "group": row.group,
                    "row": row.label,
                    "metric": metric,
                    "mean": entry.mean,
                    "sd": entry.sd,
                    "seeds": " ".join(map(str, row.seeds)),
                    "published": entry.published,
                    "difference": entry.difference,
                    "budget": table.budget,
                    "protocol": table.protocol,
                    "runs": " ".join(row.folders),
                    "notes": "; ".join(row.notes),
                } | (_in_percent(row.estimate, section, table.level) if metric == table.metrics[0] else {})


def show_table(table: PaperTable) -> None:
    """Print what was measured, and how far from the paper; the files say it in full."""
    for part in _terminal(table):
        if isinstance(part, str):
            PlainConsole().print(part, soft_wrap=True)
        else:
            show(part)


def _terminal(table: PaperTable) -> Iterator[Table | str]:
    yield f"Table {table.number}. {table.title}"
    yield from (f"  {name}: {fact}" for name, fact in table.facts.items())
    for section in table.sections:
        numbers = _numbers(section)
        shown = Table(title=f"{section.dataset}: measured (difference to the paper)")
        shown.add_column("")
        heads = [METRIC_NAMES[metric] for metric in table.metrics]
        for head in (heads[0], *_extra(table, section), *heads[1:]):
            shown.add_column(head, justify="right", overflow="fold")
        for group, rows in groupby(section.rows, key=lambda row: row.group):
            shown.add_section()
            if group:
                shown.add_row(Text(group, "italic"))
            for row in rows:
                label = row.label + "".join(f" [{numbers[note]}]" for note in row.notes)
                cells = [_compact(row.entries[metric]) for metric in table.metrics]
                extra = _extra_cells(table, section, row)
                cells[1:1] = [Text(text, "bold" if bold else "") for text, bold in extra]
                shown.add_row(label, *cells)
        yield shown
        yield from (f"  {name}: {fact}" for name, fact in section.facts.items())
        yield from (f"  [{number}] {note}" for note, number in numbers.items())
    if table.warning:
        yield table.warning


def _compact(entry: Entry) -> Text:
    measured, _, difference = _cells(entry, _unmarked, " ± ")
    mean, *spread = measured.partition(" ")
    style = ("", "bold", "underline")[entry.place]
    return Text.assemble((mean, style), *spread, f" ({difference})" if difference else "")


def _extra(table: PaperTable, section: Section) -> list[str]:
    """Names of the columns that follow the first metric where rows have estimates of it."""
    interval = [f"{100 * table.level:g} %"] if section.has_intervals else []
    return interval + ([f"to {section.against}"] if section.against else [])


def _extra_cells(table: PaperTable, section: Section, row: Row) -> list[tuple[str, bool]]:
    """What stands in these columns, and whether it is marked: a difference that holds."""
    estimate = row.estimate
    cells = [("" if estimate is None else _interval(estimate.low, estimate.high, ""), False)]
    if section.against:
        apart = estimate.difference if estimate is not None else None
        told = "" if apart is None else f"{100 * apart.value:+.2f} {_interval(apart.low, apart.high, '+')}".rstrip()
        cells.append((told, apart is not None and apart.holds(table.level)))
    return cells if section.has_intervals else []


def _interval(low: float | None, high: float | None, sign: str) -> str:
    return "" if low is None or high is None else f"[{100 * low:{sign}.2f}, {100 * high:{sign}.2f}]"


def _in_percent(estimate: Estimate | None, section: Section, level: float) -> dict[str, Any]:
    """The columns of an estimate in the CSV."""
    if estimate is None:
        return {}
    found: dict[str, Any] = {"low": _percent(estimate.low), "high": _percent(estimate.high)}
    if (apart := estimate.difference) is not None:
        found |= {"against": section.against, "to_against": _percent(apart.value), "p_corrected": apart.corrected}
        found |= {"to_against_low": _percent(apart.low), "to_against_high": _percent(apart.high)}
        found |= {"holds": str(apart.holds(level)).lower()}
    return found


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _numbers(section: Section) -> dict[str, int]:
    """Footnotes by their text, numbered in the order of the rows."""
    notes = dict.fromkeys(note for row in section.rows for note in row.notes)
    return {note: number for number, note in enumerate(notes, start=1)}


def _cells(entry: Entry, marked: Callable[[str, int], str], plus_minus: str) -> tuple[str, str, str]:
    """Measured, published, difference; empty where there is none."""
    measured = published = difference = ""
    if entry.mean is not None:
        spread = "" if entry.sd is None else f"{plus_minus}{entry.sd:.2f}"
        measured = marked(f"{entry.mean:.2f}", entry.place) + spread
    if entry.published is not None:
        published = f"{entry.published:.2f}"
    if entry.difference is not None:
        difference = f"{entry.difference:+.2f}"
    return measured, published, difference


def _marked_in_markdown(text: str, place: int) -> str:
    return (text, f"**{text}**", f"<u>{text}</u>")[place]


def _marked_in_latex(text: str, place: int) -> str:
    return (text, rf"\textbf{{{text}}}", rf"\underline{{{text}}}")[place]


def _unmarked(text: str, place: int) -> str:
    return text


def _escaped(text: str) -> str:
    return text.translate(_MARKDOWN)


def _tex(text: str) -> str:
    return text.translate(_LATEX)
