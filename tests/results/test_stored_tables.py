"""Every number in the stored tables and in docs/rows.md and docs/missing-modalities.md is that of a stored run."""

import csv
import functools
import json
import re
import statistics
from collections import defaultdict
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import ceilings
import domains
import generated
import levels
import measured
import measured_speed
import new_entities
import own_entity
import readme_results
import sizes
import texts
from builders import composed
from dhns.config.identity import config_hash
from dhns.experiments.reproduction.cells import table_cells
from dhns.resources import conf_dir
from dhns.results import comparison
from dhns.results.comparison import compare
from dhns.results.comparison_tables import comparison_table
from dhns.results.export import comparison_records
from dhns.results.missing import by_missing
from dhns.results.ranks import read_ranks
from dhns.results.store import find_results, read_result
from dhns.results.systems import data_sets
from dhns.results.tables import missing_table, show

REPOSITORY = Path(__file__).resolve().parents[2]


WRITTEN = [own_entity, readme_results, ceilings, domains, generated, levels, sizes, texts]


@pytest.mark.parametrize("written", WRITTEN, ids=lambda module: module.__name__)
def test_pages_have_the_tables_of_their_runs(written):
    page = written.PAGE.read_text(encoding="utf-8")
    assert written.updated(page) == page, f"run python {written.__name__}.py in scripts/"


ABLATED = ("no_diffheg", "full", "gaussian")


@pytest.mark.parametrize(("dataset", "seeds"), [("MKG-W", 1), ("MKG-Y", 1), ("world_flags", 3)])
def test_the_page_of_generators_has_the_controls(dataset, seeds):
    found = defaultdict(list)
    for _, result in find_results(REPOSITORY / "results" / "controls"):
        if result["dataset"] == dataset and result["system"] == "dhns":
            sampler = result["config"]["negatives"]["_target_"].rpartition(".")[2]
            found[sampler, result["ablated"]].append(100 * result["metrics"]["test"]["mrr"])
    assert {len(runs) for runs in found.values()} == {seeds}
    order = [(sampler, ablated) for sampler in ("UniformSampler", "BernoulliSampler") for ablated in ABLATED]
    row = " | ".join(f"{statistics.mean(found[key]):.2f}" for key in order)
    assert row in (REPOSITORY / "docs" / "diffheg.md").read_text(encoding="utf-8")


def test_the_page_of_rows_has_the_means_of_fusion():
    runs = [read_result(path) for path in (REPOSITORY / "results" / "fusion").rglob("result.json")]
    runs += [
        read_result(path) for path in (REPOSITORY / "results" / "strong").rglob("complex_n3-full-4b3ff7c5/*/*.json")
    ]

    def means(system, shuffled=False, **wanted):
        found = [
            run
            for run in runs
            if (run["dataset"], run["system"]) == ("world_flags", system)
            and bool(run["config"].get("features")) == shuffled
            and wanted.items() <= run["config"]["encoder"].items()
        ]
        return [
            len(found),
            *(f"{100 * statistics.mean(r['metrics'][s]['mrr'] for r in found):.2f}" for s in ("valid", "test")),
        ]

    shown = (REPOSITORY / "docs" / "rows.md").read_text(encoding="utf-8")
    for seeds, valid, test in (
        means("complex_n3"),
        means("additive_n3", modalities=["textual"], length=3, gate=True),
        means("additive_n3", modalities=["textual"], length=3, shuffled=True),
        means("additive_n3", modalities=None, length=1),
        means("late_fusion", length=3),
    ):
        assert seeds in (1, 3)
        assert f" | {valid} | {test} |" in shown


def test_the_page_has_the_figures_of_the_stored_tables():
    page = measured.PAGE.read_text(encoding="utf-8")
    assert measured.updated(page, measured.tables()) == page, "run python scripts/measured.py"


def test_the_page_of_new_entities_has_what_was_measured():
    page = new_entities.PAGE.read_text(encoding="utf-8")
    assert new_entities.updated(page) == page, "run python scripts/new_entities.py"


JOURNEYS = REPOSITORY / "results" / "journeys"


def test_the_page_of_journeys_has_the_times_of_its_log():
    log = (JOURNEYS / "log.txt").read_text(encoding="utf-8")
    took = [(float(s), int(kb)) for s, kb in re.findall(r"^-- ([\d.]+) s, (\d+) KB$", log, re.MULTILINE)]
    page = (REPOSITORY / "docs" / "journeys.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if "`dhns " in line and line.startswith("|")]
    shown = [(row[-1], None) if len(row) == 4 and "." not in row[-1] else (row[-2], row[-1]) for row in rows]
    assert len(shown) == 12
    for (seconds, gigabytes), (measured_s, measured_kb) in zip(shown, took, strict=False):
        assert seconds == f"{measured_s:.0f}"
        assert gigabytes in (None, f"{measured_kb * 1024 / 1e9:.1f}")


def test_the_pages_of_journeys_and_answers_have_the_numbers_of_their_runs():
    brick = json.loads((JOURNEYS / "brick" / "seed-0" / "result.json").read_text(encoding="utf-8"))
    page = (REPOSITORY / "docs" / "journeys.md").read_text(encoding="utf-8")
    for number in (
        brick["metrics"]["test"]["mrr"],
        brick["metrics"]["test"]["hits@10"],
        brick["baseline"]["test"]["mrr"],
    ):
        assert f"{100 * number:.2f}" in page
    for folder, text, digits in (("brick", page, 1), ("answers", answers_page(), 2)):
        report = json.loads((JOURNEYS / folder / "seed-0" / "best.calibration.json").read_text(encoding="utf-8"))[
            "report"
        ]
        found = [value for value in report.values() if isinstance(value, dict)]
        assert len(found) >= 3
        for value in found:
            assert f"{100 * value['ece']:.{digits}f}" in text


def test_the_page_of_new_entities_has_the_answers_of_its_log():
    log = (JOURNEYS / "newland" / "log.txt").read_text(encoding="utf-8")
    answers = [line.strip("│").replace("│", " ").split() for line in log.splitlines() if line.startswith("│")]
    page = [line.split() for line in new_entities.PAGE.read_text(encoding="utf-8").splitlines()]
    assert len(answers) == 4
    assert all(answer in page for answer in answers)


def answers_page():
    return (REPOSITORY / "docs" / "answers.md").read_text(encoding="utf-8")


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


@pytest.fixture(scope="module")
def stored():
    """All results of the repository, by folder; those of one system alone are left out."""
    composed()
    found = find_results(REPOSITORY / "results")
    folders = {}
    for path, result in found:
        for folder in path.relative_to(REPOSITORY).parents[2:-1]:
            folders.setdefault(folder, []).append((path, result))
    assert len(found) > 250
    assert len(folders) > 40
    return folders


@pytest.mark.parametrize("split", ["valid", "test"])
def test_every_folder_of_results_makes_a_table(stored, split, monkeypatch):
    """Each run is in one row, counts once, and shares its data set with those on the same splits alone."""
    monkeypatch.setattr(comparison, "read_ranks", functools.cache(read_ranks))  # each is in several of the folders
    distinct = {tuple(path for path, _ in found): (folder, found) for folder, found in stored.items()}
    assert len(distinct) > 30
    for folder, found in distinct.values():  # one of those that hold the same results
        comparisons = [compare(data) for data in data_sets(found, split)]
        systems = [system for comparison in comparisons for system in comparison.data.systems]
        runs = [(*row, seed) for row in map(identity, systems) for seed in row[-1]]
        kept = {(result["dataset"], result["config_hash"], result["seed"]) for _, result in found}
        assert len(runs) == len(set(runs)) == len(kept), folder
        assert comparison_table(comparisons).row_count == len(systems) + len(comparisons), folder
        assert len(list(comparison_records(comparisons))) == 4 * len(systems), folder


def identity(system):
    datasets = {result["dataset"] for result in system.runs.values()}
    prints = {json.dumps(result["fingerprints"], sort_keys=True) for result in system.runs.values()}
    assert len(datasets) == len(prints) == 1
    return (*datasets, *prints, system.title, tuple(system.seeds))


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


def test_stored_results_are_found_under_the_settings_of_today():
    """Each has the hash of its folder; those of controls and of the first search are from before hashes were kept."""
    composed()  # stored settings refer to resolvers, which a command registers
    paths = sorted((REPOSITORY / "results").rglob("result.json"))
    lost = [
        str(path.relative_to(REPOSITORY))
        for path in paths
        if not path.is_relative_to(REPOSITORY / "results" / "controls")
        and config_hash(OmegaConf.create(read_result(path)["config"])) != read_result(path)["config_hash"]
    ]
    assert len(paths) > 200
    assert len(lost) == 6, lost
    assert all(path.startswith("results/search/MKG-Y/dhns-") for path in lost)


@pytest.mark.parametrize(("carve", "columns"), [("triple", (1, 2)), ("pair", (3, 4))])
def test_the_page_of_data_has_the_runs_of_both_carves(carve, columns):
    text = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
    page = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    found = [read_result(path) for path in (REPOSITORY / "results" / "carve").rglob("result.json")]
    shown = {row[0].lower(): [row[column] for column in columns] for row in page if len(row) == 5}
    runs = [run for run in found if run["protocol"].get("carve", "pair") == carve]
    assert {run["system"] for run in runs} == {"complex", "distmult", "transe", "rotate"}
    for run in runs:
        assert shown[run["system"]] == [f"{100 * run['metrics'][split]['mrr']:.2f}" for split in ("valid", "test")]


def test_the_carve_is_part_of_a_run_where_a_set_may_be_carved():
    def identity(*overrides):
        return config_hash(composed(*overrides))

    stored = read_result(next((REPOSITORY / "results/tables/benchmarks/DB15K").rglob("result.json")))
    same = ("experiment=tuned", "dataset=db15k", "model=complex_n3", "protocol.carve=pair")
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        assert config_hash(compose("train", overrides=[*same])) == stored["config_hash"]
        assert config_hash(compose("train", overrides=[*same[:-1]])) != stored["config_hash"]
    for dataset in ("mkg_w", "mkg_y", "world_flags"):
        assert identity(f"dataset={dataset}") == identity(f"dataset={dataset}", "protocol.carve=pair")
    for protocol, carved in (("clean", True), ("as_published", False)):
        own = (f"protocol={protocol}", "dataset=tsv", "dataset.folder=mine")
        assert (identity(*own) != identity(*own, "protocol.carve=pair")) == carved
    edited = composed("dataset=mkg_w", "protocol.carve=triple"), composed("dataset=mkg_w", "protocol.carve=pair")
    for config in edited:
        OmegaConf.set_struct(config, False)
        config.content = {"valid": "0" * 64}
    assert config_hash(edited[0]) != config_hash(edited[1])


@pytest.mark.parametrize("file", measured.tables(), ids=lambda path: "/".join(path.parts[-3:-1]))
def test_stored_tables_have_the_cells_of_today(file):
    """Their runs lie where those of today's settings do, beside the same published numbers."""
    composed()
    with file.open(encoding="utf-8", newline="") as lines:
        stored = [line for line in csv.DictReader(lines) if line["group"]]
    ((number, budget, protocol),) = {(line["table"], line["budget"], line["protocol"]) for line in stored}
    (dataset,) = {line["dataset"] for line in stored}
    choices = [f"table='{number}'", f"budget={budget}", f"protocol={protocol}"]
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        settings = compose("reproduce", [*choices, f"datasets=[{dataset.lower().replace('-', '_')}]"])
    cells = {(cell.group, cell.label): cell for cell in table_cells(settings)}
    assert {(line["group"], line["row"]) for line in stored} <= cells.keys()
    for line in stored:
        cell = cells[line["group"], line["row"]]
        folder = cell.runs[0].folder.parent.relative_to(settings.paths.outputs)
        assert {Path(run).parent for run in line["runs"].split()} <= {folder}, cell.label
        assert line["published"] == str(cell.published.get(line["metric"], "")), cell.label
