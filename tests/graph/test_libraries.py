"""Graphs for other libraries, and back."""

import sys

import pytest
import torch

from dhns.errors import InputError
from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph


def named(graph):
    return {
        split: [(graph.entities.keys[h], graph.relations.keys[r], graph.entities.keys[t]) for h, r, t in ids.tolist()]
        for split in SPLITS
        for ids in [graph.split(split)]
    }


def test_frames_go_out_and_come_back(toy_graph):
    frame = toy_graph.to_pandas()
    assert list(frame.columns) == ["head", "relation", "tail", "split"]
    parts = {split: rows[["head", "relation", "tail"]] for split, rows in frame.groupby("split")}
    assert named(KnowledgeGraph.from_triples(**parts)) == named(toy_graph)
    assert set(toy_graph.to_pandas("valid").split) == {"valid"}
    with pytest.raises(InputError, match="no split is named 'dev'"):
        toy_graph.to_pandas("dev")


def test_edges_are_the_triples(toy_graph):
    edges = toy_graph.to_pyg("test")
    head, tail = edges.edge_index
    assert torch.equal(torch.stack([head, edges.edge_type, tail], dim=1), toy_graph.test)
    assert edges.edge_index.is_contiguous()


def test_pyg_takes_them(toy_graph):
    data = pytest.importorskip("torch_geometric.data", reason="needs torch_geometric")
    graph = data.Data(num_nodes=toy_graph.num_entities, **toy_graph.to_pyg()._asdict())
    assert graph.num_edges == len(toy_graph.train)


def test_pykeen_takes_triples_and_gives_them_back(toy_graph):
    pytest.importorskip("pykeen", reason="needs pykeen")
    factories = {split: toy_graph.to_pykeen(split) for split in SPLITS}
    back = KnowledgeGraph.from_triples(**{split: factory.triples for split, factory in factories.items()})
    assert {split: sorted(rows) for split, rows in named(back).items()} == {
        split: sorted(rows) for split, rows in named(toy_graph).items()
    }
    assert factories["train"].entity_to_id == toy_graph.entities.ids


@pytest.mark.parametrize(
    ("package", "method", "command"),
    [("pandas", "to_pandas", r"pip install 'dhns\[exchange\]'"), ("pykeen", "to_pykeen", "pip install pykeen")],
)
def test_what_is_not_installed_is_named(toy_graph, monkeypatch, package, method, command):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.triples", None)
    with pytest.raises(InputError, match=rf"{method} needs {package}: {command}"):
        getattr(toy_graph, method)()
