"""The sides do the work that the tables say, on a small random graph."""

from pathlib import Path

import pytest
import torch

from benchmarks.graphs import DB15K, MKG_Y, Benchmark, Graphs, count, read_triples
from benchmarks.sides import dense, floors, kernels, project
from benchmarks.turns import TurnsOfSteps
from benchmarks.works import WORKS
from dhns.graph.readers import read_openke
from dhns.training.build import build_module
from dhns.training.check import check_settings
from dhns.training.evaluation import rank_split

SMALL = Benchmark("small", "mkg_y", 60, 3, 300, 20, 20, visual=5, textual=4)
TINY = ["scorer.dim=4", "data.batch_size=64", "optimization.optimizer.lr=0.01"]


class Enough(Exception):
    """Ends a side."""


class CountedTurns:
    """In the place of the driver: lets a side work so many times, and notes the amounts."""

    def __init__(self, turns):
        self.left = turns
        self.amounts = []

    def begin(self):
        if self.left == 0:
            raise Enough
        self.left -= 1

    def end(self, amount):
        self.amounts.append(amount)

    def repeat(self, work, amount=1.0):
        while True:
            self.begin()
            work()
            self.end(amount)


def amounts(side, turns=2, **job):
    counted = CountedTurns(turns)
    with pytest.raises(Enough):
        side(counted, **job)
    return counted.amounts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(Graphs(tmp_path_factory.mktemp("graphs")).folder_with_features(SMALL))


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    monkeypatch.setenv("DHNS_DATA", str(tmp_path / "none"))


def test_a_random_graph_has_the_counts_and_no_triple_twice(folder):
    graph = read_openke(folder, "small")
    splits = [graph.train, graph.valid, graph.test]
    assert [len(split) for split in splits] == [300, 20, 20]
    assert (graph.num_entities, graph.num_relations) == (count(folder, "entity"), count(folder, "relation")) == (60, 3)
    assert len(torch.cat(splits).unique(dim=0)) == 340
    assert torch.equal(graph.train, torch.from_numpy(read_triples(folder, "train")))


class Unwritten(Graphs):
    """Folders of graphs that nobody reads."""

    def folder(self, benchmark):
        return Path("nowhere") / benchmark.name

    folder_with_features = folder


@pytest.mark.parametrize("name", WORKS)
def test_the_settings_of_every_work_and_variant_are_those_that_there_are(name, tmp_path):
    work = WORKS[name](Unwritten(tmp_path))
    labels = [side.label for side in work.sides] + [quoted.label for quoted in work.quoted]
    assert len(set(labels)) == len(labels)
    assert work.baseline is None or work.baseline in labels
    for side in work.sides:
        if "overrides" in side.job:
            config = project.composed(side.job["overrides"], str(side.folder))
            check_settings(config)
            assert config.dataset.folder == str(side.folder)


def test_synthetic_graphs_are_said_to_be_synthetic(no_data, tmp_path):
    assert "synthetic" in Graphs(tmp_path).describe(MKG_Y)
    assert "synthetic" in Graphs(tmp_path).describe(DB15K)


def test_real_triples_are_taken_where_they_lie(monkeypatch, tmp_path):
    real = Graphs(tmp_path / "made").folder(SMALL)
    monkeypatch.setenv("DHNS_DATA", str(real.parent))
    graphs = Graphs(tmp_path / "scratch")
    assert graphs.folder(SMALL) == real
    assert "real triples" in graphs.describe(SMALL)


def test_a_turn_has_its_steps():
    turns = CountedTurns(3)
    steps = TurnsOfSteps(turns, 4, amount=8)
    for _ in range(12):
        steps.before_step()
    assert turns.amounts == [8, 8]
    with pytest.raises(Enough):
        steps.before_step()
    assert turns.amounts == [8, 8, 8]


@pytest.mark.parametrize(
    ("overrides", "counted", "steps", "amount"),
    [
        (["model=rotate", "dataset.modalities.textual=null", "negatives.num_negatives=4"], "positives", 3, 3 * 64),
        (["model=complex_n3", "dataset.modalities.textual=null"], "epochs", None, 1.0),
        (
            [
                *("model=dhns", "generator=reference", "dataset.modalities.textual=textual.npy"),
                *("+dataset.modalities.visual=visual.npy", "generator.model.schedule.steps=8"),
            ],
            "steps",
            1,
            1,
        ),
    ],
)
def test_the_project_trains(folder, overrides, counted, steps, amount):
    overrides = ["dataset=mkg_y", *overrides, *TINY]
    assert amounts(project.train, folder=folder, overrides=overrides, counted=counted, steps=steps) == [amount, amount]


def test_the_dense_peer_trains_and_counts_epochs(folder):
    found = amounts(dense.train, folder=folder, dim=4, batch_size=100, steps=3)
    assert found == [0.5, 0.5]  # 600 queries


def test_the_dense_peer_ranks_as_the_project_does(folder):
    """Its ranks are those that the project counts pessimistically, for the same embeddings."""
    overrides = ["model=complex_n3", "dataset=mkg_y", "dataset.modalities.textual=null", "scorer.dim=4"]
    config = project.composed([*overrides, "scorer.init_range=1.0"], folder)
    module = build_module(project.OmegaConf.to_container(config, resolve=False), project.load_graph(config))
    expected, _ = rank_split(module, "test")

    model = dense.DenseComplEx(60, 3, 4)
    model.entities.data, model.relations.data = module.model.encoder.structure.data, module.model.relations.data
    queries = dense.both_directions(module.graph.test, 3)
    known = dense.both_directions(module.graph.triples("train", "valid", "test"), 3)
    answers = {}
    for entity, relation, answer in known.tolist():
        answers.setdefault((entity, relation), []).append(answer)
    answers = {query: torch.tensor(found) for query, found in answers.items()}
    ranks = dense.filtered_ranks(model, queries, answers, batch_size=16)
    assert ranks.double().reciprocal().mean().item() == pytest.approx(expected["mrr"], abs=1e-6)


def test_both_rank_whole_splits(folder):
    overrides = ["model=rotate", "dataset=mkg_y", "dataset.modalities.textual=null", "scorer.dim=4"]
    assert amounts(project.rank, folder=folder, overrides=overrides) == [1.0, 1.0]
    assert amounts(dense.rank, folder=folder, dim=4, batch_size=16) == [1.0, 1.0]


def test_floors_count_operations():
    (found,) = amounts(floors.matrix_product, turns=1, rows=10, inner=20, columns=30, dtype="bfloat16", calls=5)
    assert found == pytest.approx(5 * 2 * 10 * 20 * 30 / 1e9)


@pytest.mark.parametrize("way", ["project", "plain"])
def test_kernels_run(way):
    sizes = {"entities": 20, "dim": 4}
    assert amounts(kernels.scoring, way=way, batch=4, negatives=3, **sizes) == [1.0, 1.0]
    assert amounts(kernels.ranking, way=way, queries=3, **sizes) == [1.0, 1.0]
    assert amounts(kernels.generation, dim=4, positives=3, sampling_steps=2) == [1.0, 1.0]
