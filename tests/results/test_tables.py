"""Tables show the numbers of result files, which here come from the real metric."""

import io
import re
from pathlib import Path

import torch
from omegaconf import OmegaConf
from rich.console import Console

from builders import composed
from dhns.ranking.metric import LinkPredictionMetric
from dhns.ranking.ranks import Ranks
from dhns.results.comparison import compare
from dhns.results.comparison_tables import comparison_table
from dhns.results.plots import plot_hardness
from dhns.results.systems import data_sets
from dhns.results.tables import metrics_table, run_table, show, two_columns


def text(table):
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(table)
    return console.file.getvalue()


def line(table, start):
    """The cells of the only row of a printed table that starts with a name."""
    (found,) = [row for row in text(table).splitlines() if re.match(rf"[│┃]\s*{re.escape(start)}\b", row)]
    return [cell.strip() for cell in re.split("[│┃]", found)[1:-1]]


def metrics(ranks, seen=True):
    """Of one relation and 9 candidates: realistic ranks of tails, then of heads."""
    metric = LinkPredictionMetric(torch.tensor([1]), torch.tensor([True, seen]))
    count = len(ranks) // 2
    triples = torch.tensor([[0, 0, 1]]).expand(len(ranks), 3)
    rank = torch.tensor(ranks)
    head_side = torch.arange(len(ranks)) >= count
    metric.update(
        triples,
        head_side,
        Ranks(rank, rank, torch.full_like(rank, 9), torch.zeros_like(rank)),
        torch.arange(len(ranks)) % count,
    )
    return metric.compute()


def result(test, *overrides, seed=0, system="dhns", dataset="Toy", unseen=False, **changes):
    return {
        "version": 1,
        "system": system,
        "ablated": "full",
        "dataset": dataset,
        "config_hash": "0123abcd",
        "seed": seed,
        "config": OmegaConf.to_container(composed(*overrides), resolve=False),
        "protocol": {"name": "clean"},
        "metrics": {"test": metrics(test, seen=not unseen)},
        "baseline": {"test": metrics([4, 4, 4, 4])},
        "time": {"train_s": 10.0 + 10 * seed, "rank_s": 1.0},
    } | changes


def comparison(results):
    found = [(Path("nowhere") / str(number) / "result.json", content) for number, content in enumerate(results)]
    return comparison_table([compare(data) for data in data_sets(found)])


def test_metrics_by_side_tie_rule_and_category():
    table = metrics_table(metrics([1, 2, 4, 4]), "heading")
    # MRR of 1, 1/2, 1/4, 1/4; hits at 1, 3, 10; mean rank 11/4; AMRI 1 - (11/4 - 1) / (5 - 1)
    assert line(table, "all") == ["all", "4", "50.00", "25.00", "50.00", "100.00", "3", "56.25"]
    assert line(table, "tail")[1:4] == ["2", "75.00", "50.00"]
    assert line(table, "head")[1:4] == ["2", "25.00", "0.00"]
    assert line(table, "1-N")[1:3] == ["4", "50.00"]
    assert line(table, "optimistic")[1:3] == ["4", "50.00"]
    assert "unseen" not in text(table)


def test_a_run_stands_beside_its_baseline():
    table = run_table(result([1, 2, 4, 4]))
    assert "Toy" in text(table)
    assert "0123abcd" in text(table)
    assert line(table, "all")[2] == "50.00"
    assert line(table, "relation frequency")[2] == "25.00"


def test_comparison_takes_means_and_deviations_over_seeds():
    table = comparison([result([1, 1, 1, 1], seed=0), result([2, 2, 2, 2], seed=1)])
    row = next(row for row in text(table).splitlines() if "0123abcd" in row)
    # mean and sample deviation of 100 and 50
    assert "75.00 ± 35.36" in row
    assert [cell.strip() for cell in row.split("│")][-2] == "15"
    assert table.row_count == 2


def test_comparison_keeps_systems_settings_protocols_and_data_apart():
    results = [
        result([1, 1]),
        result([2, 2], config_hash="aaaaaaaa"),
        result([3, 3], protocol={"name": "as_published"}),
        result([4, 4], "model=rotate", system="rotate"),
        result([5, 5], ablated="no_hal"),
        result([6, 6], dataset="Another"),
    ]
    table = comparison(results)
    assert table.row_count == 6 + 2, "every run is a row, and each data set has its baseline"
    shown = text(table)
    assert shown.index("Another") < shown.index("Toy")
    assert shown.count("relation frequency") == 2
    assert "no_hal" in shown


def test_comparison_sorts_by_mrr():
    shown = text(comparison([result([1, 1]), result([5, 5], config_hash="aaaaaaaa")]))
    assert shown.index("aaaaaaaa") < shown.index("0123abcd")


def test_unseen_entities_have_a_column_where_there_are_any():
    assert "unseen" not in text(comparison([result([5, 5])]))
    table = comparison([result([5, 5], unseen=True), result([4, 4], config_hash="aaaaaaaa")])
    unseen = [column.header for column in table.columns].index("MRR unseen")
    assert set(table.columns[unseen].cells) == {"", "20.00"}


def test_names_and_values(capsys):
    show(two_columns("Toy", [("entities", "12")]))
    assert re.search(r"entities\s*│\s*12", capsys.readouterr().out)


def test_plot_of_hardness(tmp_path):
    names = ("true", "level_0.5", "level_0.05", "level_0.05/structure", "sampled")
    samples = {name: torch.linspace(-i, 1, 20) for i, name in enumerate(names)}
    path = tmp_path / "new" / "hardness.png"
    plot_hardness(samples, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(path.parent.iterdir()) == [path]
