"""The graph that a configuration describes."""

from __future__ import annotations

import logging
from dataclasses import replace

from hydra.utils import instantiate
from omegaconf import DictConfig

from dhns.graph.inputs import feature_files
from dhns.graph.knowledge_graph import KnowledgeGraph

log = logging.getLogger(__name__)


def load_graph(config: DictConfig) -> KnowledgeGraph:
    """The data set of a configuration (``dataset``), prepared by its ``protocol``, as `prepare` does it.

    A feature file that is not there ends only what reads it, see `KnowledgeGraph.require_features`: a unimodal model is
    the same without.
    """
    absent = _absent_features(config.dataset)
    for name in absent:
        log.warning("the %s features of %s are not there; what reads them will not run", name, config.dataset.name)
    without = {"modalities": dict.fromkeys(absent)} if absent else {}
    return prepare(config, replace(instantiate(config.dataset, **without), absent=absent))


def prepare(config: DictConfig, graph: KnowledgeGraph) -> KnowledgeGraph:
    """A graph as the ``protocol`` has it, with the features of a control if there is one, less what is ``missing``."""
    prepared: KnowledgeGraph = instantiate(config.protocol).prepare(graph)
    if config.get("features"):
        prepared = instantiate(config.features).apply(prepared)
    if config.get("missing"):
        prepared = instantiate(config.missing).remove(prepared)
    return prepared


def _absent_features(dataset: DictConfig) -> dict[str, str]:
    """Why the features of a modality are not there, and what to do, by modality."""
    return {
        name: f"{path}: no such feature file; correct the path, make it by 'dhns features', or go without by "
        f"dataset.modalities.{name}=null. Benchmarks have official ones: features=official, 'dhns data download'"
        for name, path in feature_files(dataset).items()
        if not path.exists()
    }
