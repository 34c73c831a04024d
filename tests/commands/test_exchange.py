"""From files to a graph, to a trained model, to files, from a shell."""

from pathlib import Path

import numpy as np
import pytest

import dhns
from commands.shell import ENTITIES, RELATIONS, SPLITS, TRAIN, only_result, refused, succeed, write_graph


@pytest.fixture(scope="module")
def trained_on_numbers(tmp_path_factory):
    """A working folder with a finished run in ``run/``, of a graph with numbers; not to be changed."""
    folder = tmp_path_factory.mktemp("numbers")
    write_graph(folder / "graph")
    rows = [f"e{index}\theight\t{index}\n" for index in range(0, ENTITIES, 2)]
    rows += [f"e{index}\tkind\t{'odd' if index % 2 else 'even'}\n" for index in range(6)]
    table = folder / "graph" / "attributes.tsv"
    table.write_text(f"entity\tattribute\tvalue\n{''.join(rows)}", encoding="utf-8")
    printed = succeed(folder, *TRAIN, "+dataset.modalities.numeric=attributes.tsv", "run_dir=run")
    table.unlink()  # what follows reads the copy in the run's folder
    return folder, printed


def test_numbers_are_a_modality_like_any_other(trained_on_numbers):
    folder, printed = trained_on_numbers
    assert "attributes.tsv became 4 columns of 2 attributes" in printed
    _, result = only_result(folder)
    assert {"modality/numeric", "modality/textual", "modality/visual"} <= result["fingerprints"].keys()
    vectors = dhns.load(folder / "run", device="cpu").embeddings()
    assert list(vectors.views) == ["structure", "textual", "visual", "numeric"]
    assert vectors.present["numeric"].sum() == 9


def test_vectors_are_exported_by_command_and_in_python(trained_on_numbers, tmp_path):
    folder, _ = trained_on_numbers
    printed = succeed(folder, "export", "checkpoint=run", f"out={tmp_path / 'x.npz'}", "device=cpu")
    assert "9 entities, 8 numbers each" in printed
    assert printed.splitlines()[-1] == str(tmp_path / "x.npz")
    model = dhns.load(folder / "run", device="cpu")
    vectors = model.embeddings()
    with np.load(tmp_path / "x.npz", allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["entities"], vectors.entities)
        np.testing.assert_array_equal(archive["view_numeric"], vectors.views["numeric"])
        assert tuple(archive["entity_labels"].tolist()) == model.graph.entities.labels
        assert len(archive["relation_keys"]) == len(archive["relations"])
    assert len(model.export(tmp_path / "projector")) == 2 * 6 + 1
    line = refused(folder, "export", "checkpoint=run", "out=x.xls")
    assert "x.xls: 'xls' is no format; expected a name that ends in .safetensors" in line
    assert "dhns export checkpoint=RUN out=FILE" in refused(folder, "export", "checkpoint=run")


def test_import_tells_what_it_made_and_how_to_go_on(tmp_path):
    rows = "".join(f"e{head},{RELATIONS[relation]},e{tail}\n" for head, relation, tail in SPLITS["train"])
    (tmp_path / "facts.csv").write_text(f"from,kind,to\n{rows}e1,height,3.5\ne2,height,4\n", encoding="utf-8")
    columns = ("head=from", "relation=kind", "tail=to", "attributes=[height]")
    printed = succeed(tmp_path, "data", "import", "input=facts.csv", "out=mine", *columns)
    assert "mine, from facts.csv" in printed
    assert "attributes.tsv" in printed
    train = printed.splitlines()[-1].removeprefix("train by dhns train ").split()
    assert train == ["dataset=tsv", "dataset.folder=mine", "+dataset.modalities.numeric=attributes.tsv"]
    stats = succeed(tmp_path, "data", "stats", *train)
    assert "2 entities" in stats
    assert "is there already" in refused(tmp_path, "data", "import", "input=facts.csv", "out=mine", *columns)
    line = refused(tmp_path, "data", "import", "input=facts.csv", "out=other", "head=who")
    assert line.endswith("facts.csv, line 1: head=who names no column; there are from, kind, to")
    assert "input=FILE_OR_FOLDER" in refused(tmp_path, "data", "import", "out=other")
    assert "test_fraction is 1" in refused(tmp_path, "data", "import", "input=facts.csv", "out=o", "test_fraction=1")


def test_the_page_shows_what_is_printed(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).resolve().parents[2] / "docs" / "exchange.md").read_text(encoding="utf-8")
    (tmp_path / "cities.ttl").write_text(between(page, "```turtle\n", "```"), encoding="utf-8")
    command, shown = between(page, "    $ dhns ", "\n\n").split("\n", 1)
    printed = succeed(tmp_path, *command.split())
    assert printed.split() == shown.split()
    train = printed.splitlines()[-1].removeprefix("train by dhns train ").split()
    note = between(page, "    note: attributes.tsv became", "\n")
    assert f"attributes.tsv became{note}" in succeed(tmp_path, "data", "stats", *train)
    monkeypatch.chdir(tmp_path)
    code = between(page, "```python\n", "```")
    exec(compile(code, "exchange.md", "exec"), {})
    assert code.rpartition("# ")[2] == capsys.readouterr().out


def between(text, start, end):
    return text.partition(start)[2].partition(end)[0]
