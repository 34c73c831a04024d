"""``dhns report``: the page of a run, of a blend, of what is left of a run, and of several runs."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import dhns
from commands.shell import LABELS, TRAIN, only_result, refused, succeed
from dhns.results.ranks import read_ranks
from reporting.pages import read_page
from results.stored import ranked, store

SECTIONS = ["results", "training", "hardness", "predictions", "embeddings", "cost", "settings"]


@pytest.fixture(scope="module")
def written(trained, tmp_path_factory):
    """The page of the run of dhns, and the result of that."""
    out = tmp_path_factory.mktemp("pages") / "new" / "report.html"
    assert succeed(trained[0], "report", "run=run", f"out={out}", "device=cpu") == f"report of 1 run: {out}\n"
    return read_page(out), only_result(trained[0])[1]


def test_the_page_of_a_run_has_all_sections(written):
    page, _ = written
    assert page.sections == SECTIONS
    assert "No curves" not in page.text
    assert "No predictions" not in page.text
    assert "No map" not in page.text
    assert {"href": "#predictions"} in page.attributes("a")


def test_its_numbers_are_those_of_the_result(written):
    page, result = written
    rows = page.rows("queries", "MRR", "AMRI")
    test = result["metrics"]["test"]
    for name, prefix in (("all", ""), ("head", "head/"), ("N-1", "N-1/"), ("pessimistic", "pessimistic/")):
        for column, metric in {"MRR": "mrr", "Hits@1": "hits@1", "Hits@3": "hits@3", "Hits@10": "hits@10"}.items():
            assert rows[name][column] == f"{100 * test[prefix + metric]:.2f}"
    baseline = result["baseline"]["test"]
    assert rows["relation frequency (learns nothing)"]["MRR"] == f"{100 * baseline['mrr']:.2f}"
    for label, metric in {"MRR": "mrr", "Hits@10": "hits@10"}.items():
        assert f"Test {label} {100 * test[metric]:.2f}" in page.text
    means = result["generated"]["mean_scores"]
    scores = page.rows("scores of", "mean score")
    assert scores["true triples"]["mean score"] == f"{means['true']:.2f}"
    assert scores["generated, t = 0.05 T"]["mean score"] == f"{means['level_0.05']:.2f}"
    share = result["generated"]["diagnostics"]["level_0.05/loss_share"]
    assert scores["generated, t = 0.05 T"]["share of loss"] == f"{100 * share:.1f} %"
    cost = page.rows("", "this run")
    assert cost["Epochs"]["this run"] == str(result["epochs"])
    assert cost["Generator parameters"]["this run"] == f"{result['parameters']['generator']:,}"
    settings = page.rows("setting", "value")
    assert settings["scorer.dim"]["value"] == "4"
    assert settings["trainer.max_epochs"]["value"] == "2"
    assert not any(key.startswith(("paths", "run_dir", "logger")) for key in settings)


def test_slices_are_those_of_compare(trained, written):
    compared = trained[0] / "all.json"
    succeed(trained[0], "compare", "runs=run", "by=relation", f"out={compared}")
    (system,) = json.loads(compared.read_text())["data_sets"][0]["systems"]
    rows = written[0].rows("relation", "MRR", "95 %")
    assert system["slices"][1:]
    for each in system["slices"][1:]:
        row = rows[each["slice"].removeprefix("relation ")]
        assert (row["MRR"], row["queries"]) == (f"{100 * each['value']:.2f}", str(each["queries"]))
    assert "about too few entities" in written[0].text


def test_curves_are_those_of_the_log(written):
    page, _ = written
    titles = [drawn["aria-label"].partition(" by epoch")[0] for drawn in page.attributes("svg")]
    assert titles[:-1] == [
        "Loss of the model", "Loss of the generator", "Validation MRR, %", "Validation Hits@k, %", "Learning rates",
    ]  # fmt: skip
    rates = next(each["aria-label"] for each in page.attributes("svg") if each["aria-label"].startswith("Learning"))
    assert "model: 0.02 at epoch 1, 0.02 at epoch 2." in rates
    assert "generator: 0.001 at epoch 1" in rates


def test_answers_and_the_map_have_the_names_of_entities(written):
    page, _ = written
    cards = [words for level, words in page.headings if level == 4]
    assert cards
    assert all("?" in words and any(label in words for label in LABELS) for words in cards)
    assert page.text.count("true answer") == len(cards)
    assert len([each for each in page.attributes("circle") if each.get("r") == "3.2"]) == len(LABELS)
    assert {*LABELS} <= {*page.text_of("title")}
    assert "images=FOLDER and texts=FILE" in page.text


def test_what_entities_look_like(trained, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(len(LABELS)):
        Image.new("RGB", (300, 200), (20 * number, 0, 0)).save(images / f"e{number}.png")
    rows = "".join(f"e{number}\tSaid of <{number}>.\n" for number in range(len(LABELS)))
    (tmp_path / "texts.tsv").write_text(f"entity\ttext\n{rows}")
    asked = ("report", "run=run", f"out={tmp_path}/r.html", f"images={images}", f"texts={tmp_path}/texts.tsv")
    succeed(trained[0], *asked)
    page = read_page(tmp_path / "r.html")
    cards = [words for level, words in page.headings if level == 4]
    assert len(page.attributes("img")) > 3 * len(cards)
    assert page.text.count("Said of <") == len(cards)
    assert "images=FOLDER" not in page.text
    for image in images.iterdir():
        image.write_bytes(b"no image")
    succeed(trained[0], *asked)
    page = read_page(tmp_path / "r.html")
    assert not page.attributes("img")
    assert "Images that could not be read: e" in page.text
    assert "no such folder of images" in refused(trained[0], "report", "run=run", "images=nowhere", "out=r.html")


def test_what_a_result_alone_can_say(trained, tmp_path):
    """Of a run whose checkpoint, log and figure are gone, as stored results are."""
    for name in ("result.json", "ranks.npz"):
        shutil.copy(trained[0] / "run" / name, tmp_path / name)
    succeed(tmp_path, "report", "run=.")
    page = read_page(tmp_path / "report.html")
    assert page.sections == SECTIONS
    assert "No curves: no log/version_0/metrics.csv lies beside this result" in page.text
    for section in ("predictions", "map"):
        assert f"No {section}: no checkpoint lies beside this result; the same command with force=true" in page.text
    assert "Means alone" in page.text
    assert "relation" in [cell for table in page.tables for cell in table[0]]
    (tmp_path / "ranks.npz").unlink()
    succeed(tmp_path, "report", "run=.")
    page = read_page(tmp_path / "report.html")
    assert "No intervals and no slices: no ranks.npz" in page.text
    assert page.rows("queries", "MRR", "AMRI")["all"]
    shutil.copy(trained[0] / "run" / "hardness.png", tmp_path / "hardness.png")
    succeed(tmp_path, "report", "run=.")
    (figure,) = read_page(tmp_path / "report.html").attributes("img")
    assert figure["alt"].startswith("Box plots of the scores")


def test_a_checkpoint_that_cannot_be_used_is_told_by_its_own_words(trained, tmp_path):
    shutil.copytree(trained[0] / "run", tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "best.ckpt").write_bytes(b"no checkpoint")
    succeed(tmp_path, "report", "run=run")
    assert "No map: run/checkpoints/best.ckpt is no readable checkpoint" in read_page(tmp_path / "report.html").text


EVIL = {
    "a": "<script>alert(1)</script>",
    "b": "\"><img src=x onerror='y'>",
    "c": "</title></style><b>&amp;",
    "d": "{{ 7 * 7 }}{% raw %}",
    "r": "<i>next</i> \x01",
}
FACTS = [("a", "r", "b"), ("b", "r", "c"), ("c", "r", "d"), ("d", "r", "a"), ("a", "r", "d"), ("b", "r", "d")]


def _evil_graph():
    return dhns.KnowledgeGraph.from_triples(
        FACTS, valid=[("c", "r", "a")], test=[("d", "r", "b")], labels=EVIL, name="<script>name<b>"
    )


def test_names_are_never_markup(tmp_path):
    settings = {"scorer.dim": 4, "trainer.max_epochs": 1, "trainer.check_val_every_n_epoch": 1, "progress": False}
    run = dhns.train(_evil_graph(), "rotate", settings=settings, outputs=tmp_path, run_dir=str(tmp_path / "run"))
    rows = "".join(f"{key}\t</p><script>{key}</script>\n" for key in "abcd")
    (tmp_path / "texts.tsv").write_text(f"entity\ttext\n{rows}")
    page = read_page(dhns.report(run.folder, tmp_path / "one.html", texts=tmp_path / "texts.tsv", device="cpu"))
    assert "<script>name<b>" in page.text
    assert "</p><script>" in page.text
    assert {label for key, label in EVIL.items() if key != "r"} <= {*page.text_of("title")}
    assert [words for level, words in page.headings if level == 4 and "<i>next</i>" in words]
    other = dhns.train(_evil_graph(), "rotate", settings=settings, outputs=tmp_path / "other", seed=1)
    page = read_page(dhns.report([run.folder, other.folder], tmp_path / "several.html"))
    assert "1 system on <script>name<b>" in page.text
    assert page.rows("relation", "95 %")


@pytest.fixture(scope="module")
def several(trained, tmp_path_factory):
    """The run of dhns, one of RotatE, and both blended, each in its folder."""
    folder = tmp_path_factory.mktemp("several")
    shutil.copytree(trained[0] / "graph", folder / "graph")
    shutil.copytree(trained[0] / "run", folder / "runs" / "dhns")
    rotate = [setting for setting in TRAIN if "modalities" not in setting]
    succeed(folder, *rotate, "model=rotate", "run_dir=runs/rotate")
    succeed(folder, "blend", "members=[runs/dhns,runs/rotate]", "out=runs/blend", "device=cpu")
    return folder


def test_the_page_of_a_blend(several):
    succeed(several, "report", "run=runs/blend", "out=blend.html", "device=cpu")
    page = read_page(several / "blend.html")
    assert page.sections == [section for section in SECTIONS if section != "hardness"]
    assert "dhns + rotate" in page.text
    assert "No map: a blend has no embeddings of its own" in page.text
    assert "No curves: a blend is not trained." in page.text
    assert page.text.count("true answer")
    assert "next" in page.rows("relation", "MRR"), "a blend keeps the names of relations"
    (several / "alone").mkdir()
    shutil.copy(several / "runs" / "blend" / "result.json", several / "alone" / "result.json")
    succeed(several, "report", "run=alone", "out=alone.html")
    assert (
        "No predictions: the models of this blend do not lie beside its result"
        in read_page(several / "alone.html").text
    )


def test_several_are_compared(several):
    printed = succeed(several, "report", "runs=[runs/rotate,runs/dhns,runs]", "out=all.html")
    assert printed == "report of 3 runs: all.html\n"
    page = read_page(several / "all.html")
    sections = ("results", "differences", "slices", "training", "hardness", "cost", "settings")
    assert page.sections == [f"s1-{name}" for name in sections]
    results = {path.parent.name: json.loads(path.read_text()) for path in (several / "runs").rglob("result.json")}
    for row in page.rows("system", "seeds", "MRR").values():
        for result in results.values():
            if row["system"].endswith(f"#{result['config_hash']}"):
                assert row["MRR"] == f"{100 * result['metrics']['test']['mrr']:.2f}"
                break
        else:
            assert row["system"] == "relation frequency"
    apart = page.rows("difference", "p corrected")
    assert len(apart) == 2
    rotate = results["rotate"]["metrics"]["test"]["mrr"]
    assert "MRR less that of" in page.text
    for row in apart.values():
        (other,) = (each for each in results.values() if row["system"].endswith(f"#{each['config_hash']}"))
        assert row["difference"] == f"{100 * (other['metrics']['test']['mrr'] - rotate):+.2f}", "from the first"
    settings = page.rows("setting")
    assert {"encoder", "generator.loss"} <= {*settings}
    assert "generator.loss.adaptive" not in settings, "what only one system's part has goes without saying"
    lines = [each["aria-label"] for each in page.attributes("svg")]
    assert any(line.startswith("Validation MRR, % by epoch.") and line.count("at epoch 1,") == 2 for line in lines)
    dhns_title = next(row["system"] for row in apart.values() if row["system"].startswith("dhns RotatE"))
    succeed(several, "report", "runs=runs", f"against={dhns_title}", "out=other.html")
    assert f" {dhns_title}, %" in read_page(several / "other.html").text


def test_a_system_without_ranks_is_named(several, tmp_path):
    shutil.copytree(several / "runs", tmp_path / "runs")
    (tmp_path / "runs" / "dhns" / "ranks.npz").unlink()
    succeed(tmp_path, "report", "runs=runs")
    page = read_page(tmp_path / "report.html")
    rows = page.rows("system", "seeds")
    (letter,) = (letter for letter, row in rows.items() if row["system"].startswith("dhns RotatE"))
    assert f"No intervals, differences and slices of {letter}: no ranks.npz" in page.text
    assert letter not in page.rows("difference", "p")
    for path in (tmp_path / "runs").rglob("ranks.npz"):
        path.unlink()
    succeed(tmp_path, "report", "runs=runs")
    page = read_page(tmp_path / "report.html")
    assert "slices of any system" in page.text
    assert page.sections == [f"s1-{name}" for name in ("results", "training", "hardness", "cost", "settings")]


def test_a_run_without_a_test_split_shows_validation(trained, tmp_path):
    content = json.loads((trained[0] / "run" / "result.json").read_text())
    del content["metrics"]["test"], content["baseline"]["test"]
    (tmp_path / "result.json").write_text(json.dumps(content))
    succeed(tmp_path, "report", "run=.")
    page = read_page(tmp_path / "report.html")
    assert f"Valid MRR {100 * content['metrics']['valid']['mrr']:.2f}" in page.text


def test_relations_without_names_go_by_id(tmp_path):
    store(tmp_path, ranked(np.arange(1, 61), np.arange(60) % 20), "model=rotate")
    succeed(tmp_path, "report", "run=.")
    page = read_page(tmp_path / "report.html")
    assert "by id, as nothing at hand has their names" in page.text
    interval = page.rows("relation", "95 %")["0"]["95 %"]
    assert re.fullmatch(r"\d+\.\d\d to \d+\.\d\d", interval)


def test_what_is_refused(trained, several):
    assert "give run=RUN" in refused(several, "report")
    assert "give run=RUN" in refused(several, "report", "run=runs/dhns", "runs=runs")
    assert "under runs lie 3 results" in refused(several, "report", "run=runs")
    assert "no result.json lies under nowhere" in refused(several, "report", "run=nowhere")
    assert "ends in .html" in refused(several, "report", "run=runs/dhns", "out=report.pdf")
    assert "against=complex" in refused(several, "report", "runs=runs", "against=complex")
    assert "runs names no folder" in refused(several, "compare", "runs=[]")
    assert "give one folder" in refused(several, "curves", "runs=[runs,run]")
    assert "rotate" in succeed(several, "compare", "runs=[runs/rotate,runs/dhns]")


def test_ranks_and_metrics_agree(trained, written):
    """What the page draws from the one and prints from the other."""
    ranks = read_ranks(trained[0] / "run" / "ranks.npz")["test"]
    assert f"{100 * float((1 / ranks.realistic).mean()):.2f}" == written[0].rows("queries", "MRR", "AMRI")["all"]["MRR"]
