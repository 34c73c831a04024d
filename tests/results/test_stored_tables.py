"""Every number in the stored tables and in docs/rows.md and docs/missing-modalities.md is that of a stored run."""

import csv
import importlib.util
import statistics
from pathlib import Path

import pytest

from builders import composed
from dhns.results.missing import by_missing
from dhns.results.store import find_results, read_result
from dhns.results.tables import missing_table, show

REPOSITORY = Path(__file__).resolve().parents[2]


def script(name):
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


measured, measured_speed = script("measured"), script("measured_speed")


def test_the_page_has_the_figures_of_the_stored_tables():
    page = measured.PAGE.read_text(encoding="utf-8")
    assert measured.updated(page, measured.tables()) == page, "run python scripts/measured.py"


def test_the_page_of_speeds_has_the_figures_of_its_files():
    page = measured_speed.PAGE.read_text(encoding="utf-8")
    assert measured_speed.updated(page) == page, "run python scripts/measured_speed.py"


@pytest.mark.parametrize("folder", ["curves/world_flags", "curves/MKG-W", "absent"])
def test_the_page_of_missing_modalities_has_the_table_of_its_runs(folder, capsys):
    composed()  # stored settings refer to resolvers, which a command registers
    show(missing_table(by_missing(find_results(REPOSITORY / "results" / "missing" / folder))), markdown=True)
    table = "\n".join(line.rstrip() for line in capsys.readouterr().out.strip().splitlines())
    page = (REPOSITORY / "docs" / "missing-modalities.md").read_text(encoding="utf-8")
    assert table in page, f"paste what dhns curves runs=results/missing/{folder} markdown=true prints"


@pytest.mark.parametrize("file", measured.tables(), ids=lambda path: "/".join(path.parts[-3:-1]))
def test_cells_are_means_over_their_runs(file):
    with file.open(encoding="utf-8", newline="") as lines:
        cells = [line for line in csv.DictReader(lines) if line["mean"] and line["runs"]]
    assert cells
    for cell in cells:
        results = [read_result(file.parents[1] / folder / "result.json") for folder in cell["runs"].split(" ")]
        values = [100 * result["metrics"]["test"][cell["metric"]] for result in results]
        assert float(cell["mean"]) == pytest.approx(statistics.mean(values), abs=1e-4)
        assert [str(result["seed"]) for result in results] == cell["seeds"].split(" ")
        assert {result["dataset"] for result in results} == {cell["dataset"]}
        assert {result["protocol"]["name"] for result in results} == {cell["protocol"]}
