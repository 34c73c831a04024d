"""The LightningModule: one training step is Algorithm 1 of the paper."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from dhns.diffheg.levels import HardnessLevel
from dhns.diffheg.negatives import EmbeddedPositives, NegativeGenerator
from dhns.encoders.encoder import Encoded
from dhns.graph.cardinality import relation_category
from dhns.graph.fingerprint import fingerprint
from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.protocol import known_triples
from dhns.losses.hardness_adaptive import HardnessAdaptiveLoss
from dhns.models.kge_model import KGEModel
from dhns.negatives.sampler import Negatives
from dhns.randomness import derive_seed, stream
from dhns.ranking.evaluation import rank_batch
from dhns.ranking.metric import LinkPredictionMetric
from dhns.training.diagnostics import LevelDiagnostics
from dhns.training.optimization import Optimization


class LinkPredictionModule(pl.LightningModule):
    """Trains a KGE model on sampled and, if there is a generator, on generated negatives.

    The model and the generator have an optimizer each; optimization is manual.

    Args:
        config: plain dictionary with ``seed``, ``scorer``, ``encoder``, ``negatives``, ``loss``, ``regularizer`` (may
            be empty), ``optimization`` and ``diffheg`` (may be empty): ``_target_`` nodes that Hydra instantiates. It
            goes into the checkpoint as it is, interpolations included, so that folders are looked up where it is
            loaded.
        graph: prepared by the protocol.
    """

    def __init__(self, config: dict[str, Any], graph: KnowledgeGraph) -> None:
        super().__init__()
        self.save_hyperparameters({"config": config})
        self.automatic_optimization = False
        self.graph = graph
        nodes = OmegaConf.create(config)
        self.seed: int = nodes.seed
        self.batches_seen = 0
        torch.manual_seed(derive_seed(self.seed, "initialisation"))
        scorer = instantiate(nodes.scorer)
        encoder = instantiate(nodes.encoder)(graph=graph, scorer=scorer)
        self.model = KGEModel(encoder, scorer, graph.num_relations)
        self.sampler = instantiate(nodes.negatives)(graph=graph)
        self.kgc_loss = instantiate(nodes.loss)
        self.regularizer = instantiate(nodes.regularizer) if nodes.get("regularizer") else None
        self.optimizations: list[Optimization] = [instantiate(nodes.optimization)]
        self.generator: NegativeGenerator | None = None
        if nodes.get("diffheg"):
            self._build_generator(nodes.diffheg)
        self.known = KnownAnswers(known_triples(graph), graph.num_entities, graph.num_relations)
        category = relation_category(graph.train, graph.num_relations)
        self.metric = LinkPredictionMetric(category=category, seen_entities=graph.seen_entities)
        self._table: Tensor | None = None

    def _build_generator(self, config: DictConfig) -> None:
        torch.manual_seed(derive_seed(self.seed, "generator initialisation"))
        levels = [HardnessLevel(**level) for level in config.levels]
        make = instantiate(config.generator)
        self.generator = make(encoder=self.model.encoder, scorer=self.model.scorer, levels=levels)
        self.hardness_loss: HardnessAdaptiveLoss = instantiate(config.loss)
        self.generated_weight: float = config.weight
        self.diagnostics = LevelDiagnostics(self.generator.levels)
        if any(True for _ in self.generator.parameters()):
            self.optimizations.append(instantiate(config.optimization))

    # --- Algorithm 1 ---------------------------------------------------------------------------------------------

    def training_step(self, triples: Tensor, batch_idx: int) -> None:
        torch.manual_seed(derive_seed(self.seed, "step", self.batches_seen))
        model_optimizer = self._optimizers()[0]
        # S-, and the embeddings of everything in the batch
        negatives = self.sampler(triples, self.batches_seen, self._stream("negatives"))
        encoded, positives, positive, negative = self.embed_and_score(triples, negatives)
        # cleared before L_diff, whose gradients reach the model too when the generator does not detach its inputs
        model_optimizer.zero_grad()

        # theta, by L_diff
        self._train_generator(positives)

        # the model, by L = L_KGC + lambda L_HA
        attracted, repelled = self.kgc_loss.terms(positive, negative)
        loss = attracted + repelled
        self.log("train/loss_kgc", loss.detach(), on_step=False, on_epoch=True)
        if self.generator is not None:
            loss = loss + self.generated_weight * self._generated_loss(
                positives, positive, encoded, repelled, batch_idx
            )
        if self.regularizer is not None:
            loss = loss + self.regularizer(self.model, triples)

        self.manual_backward(loss)
        model_optimizer.step()
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True, prog_bar=True)
        self.batches_seen += 1

    def embed_and_score(
        self, triples: Tensor, negatives: Negatives
    ) -> tuple[Encoded, EmbeddedPositives, Tensor, Tensor]:
        """Embed a batch, each distinct entity once, and score it.

        Args:
            triples: ``(B, 3)`` positives.
            negatives: N sampled for each.

        Returns:
            The encoded entities, the embedded positives, their scores ``(B,)``, and those of the negatives ``(B, N)``.
        """
        encoded, head, tail, candidates = self.model.encode_batch(triples, negatives.entity)
        relation = self.model.relations[triples[:, 1]]
        positives = EmbeddedPositives(encoded.rows(head), relation, encoded.rows(tail))
        scorer, head_side = self.model.scorer, negatives.head_side
        observed = torch.where(head_side[:, None], positives.tail.joint, positives.head.joint)
        positive = scorer(positives.head.joint, relation, positives.tail.joint)
        negative = scorer.score_candidates(observed, relation, head_side, encoded.joint, candidates)
        return encoded, positives, positive, negative

    def _train_generator(self, positives: EmbeddedPositives) -> None:
        """Optimise theta by ``L_diff`` (Eq. 11)."""
        if self.generator is None:
            return
        loss = self.generator.loss(positives, self._stream("diffusion"))
        if loss is None:
            return
        optimizer = self._optimizers()[1]
        optimizer.zero_grad()
        self.manual_backward(loss, retain_graph=not self.generator.detach_inputs)
        optimizer.step()
        self.log("train/loss_diffusion", loss.detach(), on_step=False, on_epoch=True)

    def _generated_loss(
        self, positives: EmbeddedPositives, positive: Tensor, encoded: Encoded, repelled: Tensor, batch_idx: int
    ) -> Tensor:
        """``L_HA`` (Eq. 13) on negatives generated at every level."""
        assert self.generator is not None
        generated = self.generator.generate(positives, self._stream("generation"))
        scorer, levels = self.model.scorer, self.generator.levels
        scores = self.hardness_loss.score(generated, self.model.encoder, scorer)
        kept = positive[: scores.score.shape[-1]]
        attracted, terms = self.hardness_loss.terms(kept, scores, levels, scorer)
        loss: Tensor = (attracted + terms).sum()
        self.log("train/loss_generated", loss.detach(), on_step=False, on_epoch=True)
        if batch_idx == 0:
            report = self.diagnostics.measure(generated, scores, terms, repelled, encoded.joint, self.generated_weight)
            self.log_dict(report, on_step=False, on_epoch=True)
            self.diagnostics.warn_if_dead(self.current_epoch)
        return loss

    def configure_optimizers(self) -> list[dict[str, Any]]:  # type: ignore[override]
        owners = [self.model, self.generator]
        return [o.configure(owner.parameters()) for o, owner in zip(self.optimizations, owners, strict=False) if owner]

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        for optimization, own in zip(self.optimizations, self._optimizers(), strict=True):
            if getattr(own, "optimizer", own) is optimizer:
                optimization.clip(optimizer)

    def on_train_epoch_end(self) -> None:
        schedulers = self.lr_schedulers() or []
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            scheduler.step()  # type: ignore[call-arg]

    def _optimizers(self) -> list[Any]:
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]

    def _stream(self, purpose: str) -> torch.Generator:
        return stream(self.seed, purpose, self.batches_seen, self.global_rank, device=self.device)

    # --- ranking -------------------------------------------------------------------------------------------------

    def score_all(self, entity: Tensor, relation: Tensor, head_side: Tensor) -> Tensor:
        """``(batch, entities)`` fp32 scores of every entity; the entity table is encoded once per evaluation."""
        table = self.model.encoder().joint if self._table is None else self._table
        return self.model.score_all(entity, relation, head_side, table)

    def on_validation_epoch_start(self) -> None:
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            # detached: the structural encoder hands out its own parameter, which would be registered as another one
            self._table = self.model.encoder().joint.detach().float()
        self.metric.reset()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        query, triples = batch
        for asked in (False, True):
            head_side = torch.full_like(query, asked, dtype=torch.bool)
            check = self.model.score_triples if batch_idx == 0 else None
            ranks = rank_batch(
                self.score_all, triples, head_side, self.known, describe=self.graph.describe, score_triples=check
            )
            self.metric.update(triples, head_side, ranks, query)

    def on_validation_epoch_end(self) -> None:
        metrics = self.metric.compute()
        shown = ("mrr", "hits@1", "hits@3", "hits@10", "mr", "amri")
        self.log_dict({f"valid/{key}": metrics[key] for key in shown if key in metrics})
        self.log("mrr", metrics["mrr"], prog_bar=True, logger=False)

    def on_validation_end(self) -> None:
        self._table = None
        self.metric.reset()

    # --- checkpoints ---------------------------------------------------------------------------------------------

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of every part of the graph; see `dhns.graph.fingerprint`."""
        return fingerprint(self.graph)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["batches_seen"] = self.batches_seen
        checkpoint["fingerprints"] = self.fingerprints

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.batches_seen = checkpoint["batches_seen"]
