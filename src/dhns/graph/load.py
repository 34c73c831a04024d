"""The graph that a configuration describes."""

from __future__ import annotations

from hydra.utils import instantiate
from omegaconf import DictConfig

from dhns.graph.knowledge_graph import KnowledgeGraph


def load_graph(config: DictConfig) -> KnowledgeGraph:
    """The data set of a configuration (``dataset``), prepared by its ``protocol``, less what is ``missing``."""
    graph: KnowledgeGraph = instantiate(config.protocol).prepare(instantiate(config.dataset))
    if config.get("missing"):
        graph = instantiate(config.missing).remove(graph)
    return graph
