"""The LightningModule: one training step is Algorithm 1 of the paper."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from dhns.encoders.encoder import Encoded
from dhns.errors import InputError
from dhns.generators.generator import NegativeGenerator
from dhns.generators.hardness_adaptive import HardnessAdaptiveLoss, scores_by_view
from dhns.generators.levels import HardnessLevel
from dhns.graph.cardinality import relation_category
from dhns.graph.fingerprint import fingerprint
from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.protocol import known_triples
from dhns.losses.loss import AllEntityLoss, SampledLoss
from dhns.models.batch import EmbeddedBatch, EmbeddedPositives, embed_queries, score_negatives
from dhns.models.kge_model import KGEModel
from dhns.negatives.sampler import NegativeSampler
from dhns.optim.optimization import Optimization
from dhns.randomness import derive_seed, stream
from dhns.ranking.evaluation import rank_batch
from dhns.ranking.metric import LinkPredictionMetric
from dhns.training.acceleration import Acceleration
from dhns.training.diagnostics import LevelDiagnostics


class Step(NamedTuple):
    """What a step computed before its losses are put together.

    Attributes:
        triples: ``(B, 3)`` positives.
        head_side: ``(B,)`` bool, the side that was asked for.
        encoded: the entities that were encoded.
        positives: the embedded positives, where a generator needs them.
        attracted, repelled: the two terms of ``L_KGC``.
        sampler_loss: of a sampler that learns.
    """

    triples: Tensor
    head_side: Tensor
    encoded: Encoded
    positives: EmbeddedPositives | None
    attracted: Tensor
    repelled: Tensor
    sampler_loss: Tensor | None


class LinkPredictionModule(pl.LightningModule):
    """Trains a KGE model on sampled negatives or on all entities and, if there is a generator, on generated negatives.

    The model, the generator, and a sampler that learns have an optimizer each; optimization is manual.

    Args:
        config: plain dictionary with ``seed``, ``reciprocal``, ``scorer``, ``encoder``, ``negatives`` (empty for a loss
            over all entities), ``loss``, ``regularizer`` (may be empty), ``optimization``, ``acceleration`` (may be
            left out) and ``diffheg`` (may be empty): ``_target_`` nodes that Hydra instantiates. It goes into the
            checkpoint as it is, interpolations included, so that folders are looked up where it is loaded.
        graph: prepared by the protocol.
    """

    def __init__(self, config: dict[str, Any], graph: KnowledgeGraph) -> None:
        super().__init__()
        self.save_hyperparameters({"config": config}, logger=False)
        self.automatic_optimization = False
        self.graph = graph
        nodes = OmegaConf.create(config)
        self.seed: int = nodes.seed
        self.batches_seen = 0
        torch.manual_seed(derive_seed(self.seed, "initialisation"))
        scorer = instantiate(nodes.scorer)
        encoder = instantiate(nodes.encoder)(graph=graph, scorer=scorer)
        self.model = KGEModel(encoder, scorer, graph.num_relations, nodes.get("reciprocal", False))
        self.kgc_loss: SampledLoss | AllEntityLoss = instantiate(nodes.loss)
        self.regularizer = instantiate(nodes.regularizer) if nodes.get("regularizer") else None
        self.trained: list[tuple[nn.Module, Optimization]] = [(self.model, instantiate(nodes.optimization))]
        encoder.sparse_gradients = self.trained[0][1].sparse
        self.sampler: NegativeSampler | None = instantiate(nodes.negatives)(graph=graph) if nodes.negatives else None
        if (self.sampler is None) != isinstance(self.kgc_loss, AllEntityLoss):
            raise InputError(
                f"{type(self.kgc_loss).__name__} "
                + ("scores all entities and takes no sampler" if self.sampler else "needs sampled negatives")
                + "; losses over all entities (softmax, non_sampling) go with negatives=all, others with a sampler"
            )
        if self.sampler is not None and self.sampler.optimization is not None:
            self.trained.append((self.sampler, self.sampler.optimization))
        self.generator: NegativeGenerator | None = None
        if nodes.get("diffheg"):
            self._build_generator(nodes.diffheg)
        self.known = KnownAnswers(known_triples(graph), graph.num_entities, graph.num_relations)
        category = relation_category(graph.train, graph.num_relations)
        self.metric = LinkPredictionMetric(
            category, graph.seen_entities, lost_modality=graph.lost_modality, linked_pairs=graph.linked_pairs
        )
        self._acceleration: Acceleration = instantiate(nodes.get("acceleration")) or Acceleration()
        self._table: Tensor | None = None

    def _build_generator(self, config: DictConfig) -> None:
        if self.model.reciprocal:
            raise InputError("diffheg needs a relation's inverse, and reciprocal=true has none; set one of them off")
        torch.manual_seed(derive_seed(self.seed, "generator initialisation"))
        levels = [HardnessLevel(**level) for level in config.levels]
        make = instantiate(config.generator)
        self.generator = make(encoder=self.model.encoder, scorer=self.model.scorer, levels=levels)
        self.hardness_loss: HardnessAdaptiveLoss = instantiate(config.loss)
        self.generated_weight: float = config.weight
        self.diagnostics = LevelDiagnostics(self.generator.levels)
        if any(True for _ in self.generator.parameters()):
            self.trained.append((self.generator, instantiate(config.optimization)))

    # --- Algorithm 1 ---------------------------------------------------------------------------------------------

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        with self._acceleration.step():
            return self._step(batch, batch_idx)

    def _step(self, batch: Any, batch_idx: int) -> Tensor:
        torch.manual_seed(derive_seed(self.seed, "step", self.batches_seen))
        # L_KGC on S-, or on all entities; and the embeddings of everything in the batch
        step = self._score_sampled(batch) if self.sampler is not None else self._score_everything(*batch)
        # cleared before L_diff, whose gradients reach the model too when the generator does not detach its inputs
        self._zero_gradients()

        # theta, by L_diff
        if step.positives is not None:
            self._train_generator(step.positives)

        # the model, by L = L_KGC + lambda L_HA
        loss = step.attracted + step.repelled
        self.log("train/loss_kgc", loss.detach(), on_step=False, on_epoch=True)
        if step.positives is not None:
            loss = loss + self.generated_weight * self._generated_loss(step, step.positives, batch_idx)
        if self.regularizer is not None:
            loss = loss + self.regularizer(self.model, step.triples, step.head_side)
        if step.encoded.loss is not None:
            loss = loss + step.encoded.loss
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True, prog_bar=True)
        if step.sampler_loss is not None:
            self.log("train/loss_sampler", step.sampler_loss.detach(), on_step=False, on_epoch=True)
            loss = loss + step.sampler_loss

        self.manual_backward(loss)
        for (owner, _), optimizer in zip(self.trained, self._optimizers(), strict=True):
            if owner is not self.generator:
                optimizer.step()
        self.batches_seen += 1
        return loss.detach()

    def _score_sampled(self, triples: Tensor) -> Step:
        assert self.sampler is not None
        assert isinstance(self.kgc_loss, SampledLoss)
        negatives = self.sampler(triples, self.batches_seen, self._stream("negatives"), self.model)
        batch, positive, negative = score_negatives(self.model, triples, negatives)
        terms = self.kgc_loss.terms(positive, negative, negatives.weight)
        return Step(triples, negatives.head_side, batch.encoded, self._positives(batch), *terms, negatives.loss)

    def _score_everything(self, triples: Tensor, head_side: Tensor) -> Step:
        assert isinstance(self.kgc_loss, AllEntityLoss)
        batch, queries = embed_queries(self.model, triples, head_side)
        terms = self.kgc_loss.terms(self.model.scorer, queries, batch.encoded.joint)
        return Step(triples, head_side, batch.encoded, self._positives(batch), *terms, None)

    def _positives(self, batch: EmbeddedBatch) -> EmbeddedPositives | None:
        return batch.positives() if self.generator is not None else None

    def _train_generator(self, positives: EmbeddedPositives) -> None:
        """Optimise theta by ``L_diff`` (Eq. 11)."""
        assert self.generator is not None
        loss = self.generator.loss(positives, self._stream("diffusion"))
        if loss is None:
            return
        optimizer = self._optimizers()[-1]
        self.manual_backward(loss, retain_graph=not self.generator.detach_inputs)
        optimizer.step()
        if self.generator.detach_inputs:
            self._zero_gradients(besides=self.generator)
        self.log("train/loss_diffusion", loss.detach(), on_step=False, on_epoch=True)

    def _zero_gradients(self, besides: nn.Module | None = None) -> None:
        for (owner, _), optimizer in zip(self.trained, self._optimizers(), strict=True):
            if owner is not besides:
                optimizer.zero_grad()

    def _generated_loss(self, step: Step, of: EmbeddedPositives, batch_idx: int) -> Tensor:
        """``L_HA`` (Eq. 13) on negatives generated at every level."""
        assert self.generator is not None
        generated = self.generator.generate(of, self._stream("generation"))
        scorer, levels, positives = self.model.scorer, self.generator.levels, generated.positives
        scores = self.hardness_loss.score(generated, self.model.encoder, scorer)
        positive = scorer(positives.head.joint, positives.relation, positives.tail.joint)
        attracted, terms = self.hardness_loss.terms(positive, scores, levels, scorer)
        loss: Tensor = (attracted + terms).sum()
        self.log("train/loss_generated", loss.detach(), on_step=False, on_epoch=True)
        if batch_idx == 0:
            by_view = scores_by_view(generated, scorer)
            report = self.diagnostics.measure(
                generated, by_view, terms, step.repelled, step.encoded.joint, self.generated_weight
            )
            self.log_dict(report, on_step=False, on_epoch=True)
            self.diagnostics.warn_if_dead(self.current_epoch)
        return loss

    def configure_optimizers(self) -> list[dict[str, Any]]:  # type: ignore[override]
        return [optimization.configure(owner.parameters()) for owner, optimization in self.trained]

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        for (_, optimization), own in zip(self.trained, self._optimizers(), strict=True):
            if getattr(own, "optimizer", own) is optimizer:
                optimization.clip(optimizer)

    def on_train_epoch_start(self) -> None:
        self.model.encoder.start_epoch(self.current_epoch)

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
        table = self.model.encode().joint if self._table is None else self._table
        return self.model.score_all(entity, relation, head_side, table)

    def on_validation_epoch_start(self) -> None:
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            # detached: the structural encoder hands out its own parameter, which would be registered as another one
            self._table = self.model.encode().joint.detach().float()
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
        if self.generator is not None:
            checkpoint["diagnostics"] = self.diagnostics.report

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.batches_seen = checkpoint["batches_seen"]
        if self.generator is not None:
            self.diagnostics.report = checkpoint.get("diagnostics", {})
