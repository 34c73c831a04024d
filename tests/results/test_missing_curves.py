"""Curves of missing modalities: which results make a line, and what is shown of them."""

import io
import json
import re
from collections import Counter

import pytest
from omegaconf import OmegaConf
from rich.console import Console

from builders import composed
from dhns.config.identity import config_hash
from dhns.errors import InputError
from dhns.results.missing import by_missing
from dhns.results.plots import plot_missing
from dhns.results.tables import missing_table, title


def result(mrr, *overrides, seed=0, mask="aaaaaaaa", **slices):
    config = composed(f"seed={seed}", *overrides)
    metrics = {"mrr": mrr, "hits@10": 2 * mrr} | {f"{name}/mrr": value for name, value in slices.items()}
    return {
        "system": config.system,
        "ablated": "full",
        "dataset": "Toy",
        "config_hash": config_hash(config),
        "seed": seed,
        "config": OmegaConf.to_container(config, resolve=False),
        "fingerprints": {"train": "same"} | ({"removed/textual": mask} if config.missing else {}),
        "metrics": {"test": metrics},
    }


def found(tmp_path, *results):
    return [(tmp_path / str(number) / "result.json", content) for number, content in enumerate(results)]


@pytest.fixture
def runs(tmp_path):
    return found(
        tmp_path,
        result(0.40),
        result(0.44, seed=1),
        result(0.30, "missing=random", seed=0, kept=0.35, lost=0.25),
        result(0.32, "missing=random", seed=1, kept=0.35, lost=0.29),
        result(0.20, "missing=random", "missing.share=0.5", mask="bbbbbbbb"),
        result(0.10, "missing=low_degree", "missing.modalities=[textual]"),
        result(0.37, "model=rotate"),
        result(0.37, "model=rotate", "missing=random"),
        result(0.99, "model=rotate", "scorer.dim=16"),
    )


def test_lines_join_runs_that_differ_in_nothing_else(runs):
    points = by_missing(runs)
    whole = title(runs[0][1])
    assert [(s.system, s.strategy, s.share, len(results)) for s, results in points.items()] == [
        (whole, "", 0.0, 2),
        (whole, "low_degree (textual)", 0.3, 1),
        (whole, "random", 0.3, 2),
        (whole, "random", 0.5, 1),
        (title(runs[6][1]), "", 0.0, 1),
        (title(runs[6][1]), "random", 0.3, 1),
    ], "and systems of which nothing is missing are left out"


def test_the_table_has_means_deviations_subsets_and_masks(runs):
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(missing_table(by_missing(runs)))
    (row,) = re.findall(r".*dhns.*random +│ +30 .*", console.file.getvalue())
    cells = [cell.strip() for cell in row.split("│")[3:-1]]
    assert cells == ["30", "2", "31.00 ± 1.41", "35.00 ± 0.00", "27.00 ± 2.83", "62.00 ± 2.83", "textual aaaaaaaa"]


def test_the_figure_is_drawn(runs, tmp_path):
    path = tmp_path / "new" / "missing.png"
    plot_missing(by_missing(runs), "test", path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(path.parent.iterdir()) == [path]


def test_masks_of_one_setting_have_to_be_one(runs, tmp_path):
    other = (tmp_path / "other" / "result.json", result(0.5, "model=adamf", "missing=random", mask="cccccccc"))
    with pytest.raises(InputError, match=r"differ in 'removed/textual' of Toy"):
        by_missing([*runs, other])


def test_other_data_of_the_same_name_are_other_curves(runs, tmp_path):
    changed = [(tmp_path / "new" / path.parent.name / path.name, json.loads(json.dumps(run))) for path, run in runs[:3]]
    for _, run in changed:
        run["fingerprints"]["train"] = "changed"
    points = by_missing([*runs, *changed])
    labels = dict.fromkeys(setting.dataset for setting in points)
    assert len(labels) == 2
    assert all(label.startswith("Toy #") for label in labels)
    assert sum(map(len, points.values())) == len(runs) - 1 + len(changed)
    assert Counter(setting.dataset for setting in points).most_common()[1][1] == 2


def test_a_seed_counts_once(runs, tmp_path, caplog):
    again = (tmp_path / "again" / "result.json", runs[0][1])
    assert list(by_missing([*runs, again]).values()) == list(by_missing(runs).values())
    assert caplog.messages == [f"left out: {tmp_path / 'again'} repeats seed 0 of {tmp_path / '0'}"]


def test_settings_that_cannot_be_read_are_left_out(runs, tmp_path, caplog):
    other = json.loads(json.dumps(runs[2][1]))
    other["config"]["trainer"]["max_epochs"] = "${nowhere}"
    assert by_missing([*runs, (tmp_path / "other" / "result.json", other)]) == by_missing(runs)
    assert caplog.messages[0].startswith(f"left out: {tmp_path / 'other' / 'result.json'} has settings")


def test_without_missing_modalities_there_is_no_curve(runs):
    with pytest.raises(InputError, match="dhns train missing=random"):
        by_missing(runs[:2])


def test_titles_tell_what_is_missing_and_what_stands_for_it():
    assert "dhns RotatE less 30 % random #" in title(result(0.3, "missing=random"))
    assert "less 12.5 % low_degree #" in title(result(0.3, "missing=low_degree", "missing.share=0.125"))
    assert "absent=mean #" in title(result(0.3, "encoder.absent=mean"))
