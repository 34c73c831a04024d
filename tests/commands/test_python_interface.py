"""The interface in Python, and the page that documents it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dhns
from commands.shell import only_result, succeed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"
FACTS = [("a", "r", "b"), ("b", "r", "c"), ("c", "s", "a"), ("a", "s", "c"), ("b", "s", "a")]


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {"outputs": str(tmp_path / "outputs")}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    printed = capsys.readouterr().out
    for said in re.findall(r"print\(.*\)  # ([^.\n]+)\n", PAGE.read_text(encoding="utf-8")):
        assert said in printed
    assert names["run"].folder.name == "seed-1"
    assert len(names["vectors"].entities) == 7


def test_importing_it_is_quick():
    code = "import sys, dhns; dir(dhns); print([name for name in ('torch', 'hydra', 'numpy') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_interface_and_the_commands_agree(trained):
    folder, _ = trained
    model = dhns.load(folder / "run", device="cpu")
    metrics = only_result(folder)[1]["metrics"]
    assert model.evaluate() == metrics["test"]
    assert model.evaluate("valid") == metrics["valid"]
    answers = model.predict(head="Entity 1", relation="next", k=3)
    printed = succeed(folder, "predict", "checkpoint=run", "device=cpu", "head=Entity 1", "relation=next", "k=3")
    for answer in answers:
        assert f"{answer.label} " in printed
        assert f"{answer.score:.3f}" in printed
    asked = [("Entity 1", "next", answer.label) for answer in answers]
    np.testing.assert_allclose(model.score(asked), [answer.score for answer in answers], rtol=1e-5)
    ids = np.array([[1, 1, 2], [3, 0, 4]])
    named = [[names.keys[i] for names, i in zip(_names(model), row, strict=True)] for row in ids.tolist()]
    np.testing.assert_array_equal(model.score(ids), model.score(named))


def _names(model):
    return model.graph.entities, model.graph.relations, model.graph.entities


def test_embeddings_give_the_scores(trained):
    model = dhns.load(trained[0] / "run", device="cpu")
    vectors = model.embeddings()
    assert set(vectors.views) == {"structure", "textual", "visual"}
    assert vectors.entities.shape[0] == len(model.graph.entities)
    assert vectors.present["visual"].sum() == 6


def test_queries_and_triples_that_are_none(trained):
    model = dhns.load(trained[0] / "run", device="cpu")
    with pytest.raises(dhns.InputError, match="gives two of head, relation and tail"):
        model.predict(head="Entity 1")
    with pytest.raises(dhns.InputError, match="mark or hide"):
        model.predict(head="Entity 1", relation="next", known="drop")
    with pytest.raises(dhns.InputError, match=r"k is 2\.5; expected an integer"):
        model.predict(head="Entity 1", relation="next", k=2.5)
    assert len(model.predict(head=np.int64(1), relation="next", k=np.int64(2))) == 2
    with pytest.raises(dhns.InputError, match=r"no entity is named '2\.5'"):
        model.predict(head=2.5, relation="next")
    with pytest.raises(dhns.InputError, match="no triples"):
        model.score([])
    with pytest.raises(dhns.InputError, match="no entity is named 'nobody'"):
        model.score([("nobody", "next", "Entity 1")])
    with pytest.raises(dhns.InputError, match="is no triple"):
        model.evaluate(triples=[("Entity 1", "next")])
    with pytest.raises(dhns.InputError, match="7 is no run; expected its folder"):
        dhns.load(7)
    with pytest.raises(dhns.InputError, match="no checkpoint at nowhere"):
        dhns.load("nowhere")


def test_a_graph_from_arrays_is_that_from_tuples():
    class Frame:
        def to_numpy(self):
            return np.array(FACTS, dtype=object)

    graphs = [dhns.KnowledgeGraph.from_triples(rows) for rows in (FACTS, np.array(FACTS), Frame())]
    assert len({str(graph.train.tolist()) for graph in graphs}) == 1
    assert graphs[0].entities.keys == ("a", "b", "c")
    assert graphs[0].relations.keys == ("r", "s")
    assert graphs[0].test.shape == (0, 3)


def test_features_go_to_their_entities():
    by_name = dhns.KnowledgeGraph.from_triples(FACTS, features={"t": {"c": [1.0, 2.0], "a": [3.0, 4.0]}})
    assert by_name.modalities["t"].features.tolist() == [[3, 4], [0, 0], [1, 2]]
    assert by_name.modalities["t"].present.tolist() == [True, False, True]
    rows = np.array([[1.0], [2.0], [3.0]])
    by_row = dhns.KnowledgeGraph.from_triples(FACTS, features={"t": rows}, entities=["c", "b", "a"])
    assert by_row.entities.keys == ("c", "b", "a")
    assert by_row.modalities["t"].features.tolist() == rows.tolist()
    assert dhns.KnowledgeGraph.from_triples(FACTS, labels={"a": "Anna"}).entities.labels[0] == "Anna"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": []}, "train holds no triples"),
        ({"test": [("a", "r")]}, "is no triple"),
        ({"valid": [("a", "r", None)]}, r"valid: \('a', 'r', None\) lacks a name"),
        ({"test": np.array([["a", "r", np.nan]], dtype=object)}, "test: .* lacks a name"),
        ({"entities": ["a", "b", "c", "b"]}, "entities names 'b' more than once"),
        ({"entities": ["a", "b"]}, "'c' of .* is not among the entities"),
        ({"features": {"t": [[1.0], [2.0], [3.0]]}}, "say by entities"),
        ({"features": {"t": {"z": [1.0]}}}, "'z', which is no entity"),
        ({"features": {"t": {"a": [1.0], "b": [1.0, 2.0]}}}, "vectors of one length"),
        ({"features": {"t": {"a": ["x"]}}}, "t features hold what is no number"),
        ({"features": {"t": {"a": [float("nan")]}}}, "expected finite numbers"),
        ({"features": {"t": [[1.0]]}, "entities": ["a", "b", "c"]}, r"expected finite numbers, \(3, dim\)"),
    ],
)
def test_graphs_that_are_none(change, message):
    with pytest.raises(dhns.InputError, match=message):
        dhns.KnowledgeGraph.from_triples(**({"train": FACTS} | change))


def test_training_on_a_graph_in_memory(tmp_path):
    def train(facts, **choices):
        graph = dhns.KnowledgeGraph.from_triples(facts, valid=[("c", "r", "a")], test=[("c", "r", "b")], name="tiny")
        settings = {"scorer.dim": 4, "trainer.max_epochs": 2, "trainer.check_val_every_n_epoch": 1, "progress": False}
        return dhns.train(graph, "rotate", settings=settings, outputs=tmp_path, **choices)

    first = train(FACTS)
    assert train(FACTS).folder == first.folder
    assert train(FACTS, seed=1).folder != first.folder
    assert train([*FACTS, ("a", "r", "c")]).folder.parent != first.folder.parent
    assert first.model.evaluate() == first.metrics
    moved = tmp_path / "moved"
    first.folder.rename(moved)
    assert dhns.load(moved, device="cpu").evaluate() == first.metrics
    (moved / "graph.safetensors").unlink()
    with pytest.raises(dhns.InputError, match="was trained on a graph in memory"):
        dhns.load(moved)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "rotat"}, "Could not find 'model/rotat'; did you mean rotate?"),
        ({"scorer": ["rotate", "transe"]}, "scorer takes one name: scorer=rotate"),
        ({"features": ["none", "shufled"]}, "Could not find 'features/shufled'; did you mean shuffled?"),
        ({"settings": {"scorer.dims": 3}}, "did you mean scorer.dim"),
        ({"settings": {"scorr.dim": 3}}, "there is no setting 'scorr.dim'"),
        ({"settings": {"scorer.dim": "many"}}, "scorer.dim is 'many'"),
        ({"features": None}, "features=None chooses no file of conf/features"),
        ({"sede": 3}, "there is no setting 'sede'"),
    ],
)
def test_settings_that_do_not_exist(arguments, message):
    with pytest.raises(dhns.InputError, match=message):
        dhns.train("world_flags", **({"model": "rotate"} | arguments))


@pytest.mark.parametrize("key", ["dataset.folder", "dataset.modalities.textual"])
def test_what_a_graph_in_memory_does_not_read_is_refused(key):
    with pytest.raises(dhns.InputError, match=f"{key} is not read where a graph is given"):
        dhns.train(dhns.KnowledgeGraph.from_triples(FACTS), "rotate", settings={key: "there"})
    with pytest.raises(dhns.InputError, match="dataset is not read where a graph is given"):
        dhns.train(dhns.KnowledgeGraph.from_triples(FACTS), "rotate", dataset="tsv")


def test_data_that_are_not_there_are_told_as_by_the_commands(trained, tmp_path):
    folder = str(tmp_path / "nowhere")
    asked = {
        r"dataset\.folder is not given": [lambda: dhns.load_graph("tsv"), lambda: dhns.train("tsv", "rotate")],
        "nowhere: no such folder": [
            lambda: dhns.load_graph("tsv", folder=folder),
            lambda: dhns.train("tsv", "rotate", settings={"dataset.folder": folder}, outputs=tmp_path / "outputs"),
            lambda: dhns.load(trained[0] / "run", dataset={"folder": folder}),
        ],
    }
    for message, calls in asked.items():
        for call in calls:
            with pytest.raises(dhns.InputError, match=message):
                call()
