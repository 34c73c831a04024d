"""From settings to objects: the module that a composed config describes."""

from __future__ import annotations

from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from dhns.generators.levels import HardnessLevel
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.models.kge_model import KGEModel
from dhns.models.own_entity import OwnEntity
from dhns.randomness import derive_seed
from dhns.training.module import Generation, LinkPredictionModule


def build_module(config: dict[str, Any], graph: KnowledgeGraph) -> LinkPredictionModule:
    """Model, loss, sampler and generator by their settings, initialised by the seed.

    Args:
        config: plain dictionary with ``seed``, ``reciprocal``, ``own_entity``, ``scorer``, ``encoder``, ``negatives``
            (empty for a loss over all entities), ``loss``, ``regularizer`` (may be empty), ``optimization``,
            ``acceleration`` (may be left out) and ``generator`` (may be empty): ``_target_`` nodes that Hydra
            instantiates. It goes into the checkpoint as it is, interpolations included, so that folders are looked up
            where it is loaded.
        graph: prepared by the protocol.

    Raises:
        InputError: parts that do not go together.
    """
    nodes = OmegaConf.create(config)
    torch.manual_seed(derive_seed(nodes.seed, "initialisation"))
    scorer = instantiate(nodes.scorer)
    encoder = instantiate(nodes.encoder)(graph=graph, scorer=scorer)
    own_entity = OwnEntity(graph.train, graph.num_relations) if nodes.get("own_entity") else None
    model = KGEModel(encoder, scorer, graph.num_relations, nodes.get("reciprocal", False), own_entity)
    return LinkPredictionModule(
        graph,
        model,
        loss=instantiate(nodes.loss),
        optimization=instantiate(nodes.optimization),
        sampler=instantiate(nodes.negatives)(graph=graph) if nodes.negatives else None,
        regularizer=instantiate(nodes.regularizer) if nodes.get("regularizer") else None,
        generation=_build_generation(nodes.generator, model, nodes.seed) if nodes.get("generator") else None,
        acceleration=instantiate(nodes.get("acceleration")),
        seed=nodes.seed,
        settings=config,
    )


def _build_generation(node: DictConfig, model: KGEModel, seed: int) -> Generation:
    torch.manual_seed(derive_seed(seed, "generator initialisation"))
    levels = [HardnessLevel(**level) for level in node.levels]
    generator = instantiate(node.model)(encoder=model.encoder, scorer=model.scorer, levels=levels)
    learns = any(True for _ in generator.parameters())
    optimization = instantiate(node.optimization) if learns else None
    return Generation(generator, instantiate(node.loss), node.weight, optimization, node.get("every", 1))
