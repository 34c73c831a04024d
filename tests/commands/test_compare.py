"""``dhns compare`` from the command line."""

import csv
import json

import numpy as np
import pytest

from commands.shell import TRAIN, program, refused, results, succeed
from dhns.results.estimates import per_query
from dhns.results.ranks import read_ranks
from results.stored import ranked, store


@pytest.fixture
def systems(tmp_path):
    """A folder with two systems on 60 queries about 20 entities."""
    random = np.random.default_rng(0)
    for model, better in (("rotate", 1), ("complex_n3", 3)):
        ranks = np.maximum(1, np.round(random.lognormal(2, 1, 60) / better))
        store(tmp_path / "outputs" / model, ranked(ranks, np.arange(60) % 20), f"model={model}")
    return tmp_path


def test_runs_of_today_have_intervals_and_differences(place):
    """Two small trainings, one of them without a sampler, and with ranks as they leave them."""
    succeed(place, *TRAIN, "trainer.max_epochs=1", "model=rotate")
    small = [setting for setting in TRAIN[1:] if "num_negatives" not in setting]
    succeed(place, "train", *small, "trainer.max_epochs=1", "model=complex_n3")
    printed = succeed(place, "compare", "against=rotate", "by=relation", "out=all.json")
    assert "complex_n3 ComplEx #" in printed
    assert "differences from rotate #" in printed
    (data,) = json.loads((place / "all.json").read_text())["data_sets"]
    for path, stored in results(place / "outputs").items():
        mean = float(per_query(read_ranks(path.with_name("ranks.npz"))["test"], "mrr").mean())
        assert mean == pytest.approx(stored["metrics"]["test"]["mrr"])
    (complex_n3,) = (row for row in data["systems"] if row["system"].startswith("complex_n3"))
    (rotate,) = (row for row in data["systems"] if row["system"].startswith("rotate"))
    assert (complex_n3["negatives"], complex_n3["slices"][0]["queries"]) == ("all", 6)
    apart = complex_n3["slices"][0]["value"] - rotate["slices"][0]["value"]
    assert complex_n3["slices"][0]["difference"]["value"] == pytest.approx(apart)
    assert "relation kind of" in printed
    assert "note: the queries of mine are about too few entities for an interval" in printed


def test_the_table_is_readable_with_all_options(systems):
    printed = succeed(systems, "compare", "against=rotate", "by=popularity", "metric=hits@10", "level=0.9")
    assert "Hits@10 90 %" in printed
    assert "popularity 4" in printed
    assert all(len(line) <= 160 for line in printed.splitlines())
    document = succeed(systems, "compare", "against=rotate", "markdown=true")
    rules = [line for line in document.splitlines() if line.startswith("|:--")]
    assert len(rules) == 2, "one below the heading of each of two tables"


def test_a_system_is_given_by_hash(systems):
    content = next(iter(results(systems).values()))
    for name in (f"against=#{content['config_hash']}", f"against={content['config_hash']}"):
        assert f"differences from complex_n3 ComplEx #{content['config_hash']}" in succeed(systems, "compare", name)


def test_tables_are_written(systems):
    assert "written: new/all.csv" in succeed(systems, "compare", "out=new/all.csv", "against=rotate")
    with (systems / "new" / "all.csv").open() as file:
        lines = list(csv.DictReader(file))
    (rotate,) = {line["system"] for line in lines if line["system"].startswith("rotate")}
    assert [line["against"] for line in lines if line["p"]] == [rotate]


def test_a_foreign_file_is_a_warning(systems, caplog):
    (systems / "outputs" / "bad").mkdir()
    (systems / "outputs" / "bad" / "result.json").write_text('{"version": 1}')
    ended = program(systems, "compare")
    assert ended.code == 0
    assert caplog.messages == ["left out: outputs/bad/result.json is no result of a run: it lacks 'system'"]
    assert "rotate #" in ended.out


REFUSED = {
    "metric=mr": "metric is 'mr'; expected mrr, hits@1, hits@3, hits@10",
    "by=entity": "by is 'entity'; expected relation, popularity, side",
    "level=95": "level is 95; below 1 is needed",
    "out=table.txt": "out=table.txt: the name must end in .json, .csv or .tsv, which says the format",
    "against=transe": "against=transe: no row with ranks goes by that name; there are rotate #",
    "split=valid": "has no valid metrics",
}


@pytest.mark.parametrize(("setting", "message"), REFUSED.items(), ids=list(REFUSED))
def test_what_cannot_be_compared_is_one_line(systems, setting, message):
    assert message in refused(systems, "compare", setting)
