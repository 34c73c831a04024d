"""The LightningModule: one training step is Algorithm 1 of the paper."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from dhns.data.datamodule import Answered
from dhns.errors import InputError
from dhns.generators.generator import GeneratedNegatives, NegativeGenerator
from dhns.generators.hardness_adaptive import HardnessAdaptiveLoss, scores_by_view
from dhns.generators.partition import Partition
from dhns.graph.cardinality import relation_category
from dhns.graph.fingerprint import fingerprint
from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.protocol import known_triples
from dhns.graph.queries import Queries
from dhns.losses.loss import AllEntityLoss, SampledLoss
from dhns.losses.regularizer import Regularizer
from dhns.losses.softmax import SoftmaxLoss
from dhns.models.batch import EmbeddedBatch, EmbeddedPositives, embed_queries, score_negatives
from dhns.models.kge_model import KGEModel
from dhns.negatives.sampler import NegativeSampler
from dhns.optim.optimization import Optimization
from dhns.randomness import derive_seed, seed_default, stream
from dhns.ranking.evaluation import ScoreTriples, rank_batch
from dhns.ranking.metric import LinkPredictionMetric
from dhns.training.acceleration import Acceleration
from dhns.training.diagnostics import LevelDiagnostics
from dhns.training.loss_means import LossMeans


class Generation(NamedTuple):
    """Generated negatives, and how they are trained on.

    Attributes:
        generator: makes them.
        loss: ``L_HA``.
        weight: lambda, the factor of ``L_HA`` in the loss of the model (Eq. 15).
        optimization: of the generator; None if it has nothing to learn.
        every: batches from one with generated negatives to the next; an epoch begins with one. In between, neither is
            the generator trained nor ``L_HA`` part of the loss.
    """

    generator: NegativeGenerator
    loss: HardnessAdaptiveLoss
    weight: float
    optimization: Optimization | None = None
    every: int = 1


class Scored(NamedTuple):
    """A batch, embedded, and ``L_KGC`` on it.

    Attributes:
        triples: ``(B, 3)`` positives.
        head_side: ``(B,)`` bool, the side that was asked for.
        batch: their embeddings.
        positive_loss, negative_loss: the two terms of ``L_KGC``.
        sampler_loss: of a sampler that learns.
        own_loss: of the numbers for the query's own entity, where sampled negatives do not train them.
        partition: of a softmax over all entities, for generated negatives that join it.
    """

    triples: Tensor
    head_side: Tensor
    batch: EmbeddedBatch
    positive_loss: Tensor
    negative_loss: Tensor
    sampler_loss: Tensor | None = None
    own_loss: Tensor | None = None
    partition: Partition | None = None


class LinkPredictionModule(pl.LightningModule):
    """Trains a KGE model on sampled negatives or on all entities and, if there is a generator, on generated negatives.

    The model, the generator, and a sampler that learns have an optimizer each; optimization is manual.

    Args:
        graph: prepared by the protocol.
        model: what is trained.
        loss: ``L_KGC``; on sampled negatives, or over all entities.
        optimization: of the model.
        sampler: draws negatives; None if the loss is over all entities.
        regularizer: a penalty on the model.
        generation: generated negatives, if there are any.
        acceleration: of the step.
        seed: of negatives, diffusion and dropout, each step having its own.
        settings: what all this was built from, see `build_module`; goes into checkpoints, and nothing else reads it.

    Raises:
        InputError: the loss and the sampler do not go together.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        model: KGEModel,
        loss: SampledLoss | AllEntityLoss,
        optimization: Optimization,
        sampler: NegativeSampler | None = None,
        regularizer: Regularizer | None = None,
        generation: Generation | None = None,
        acceleration: Acceleration | None = None,
        seed: int = 0,
        settings: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters({"config": settings}, logger=False)
        self.automatic_optimization = False
        if (sampler is None) != isinstance(loss, AllEntityLoss):
            raise InputError(
                f"{type(loss).__name__} "
                + ("scores all entities and takes no sampler" if sampler else "needs sampled negatives")
                + "; losses over all entities (softmax, non_sampling) go with negatives=all, others with a sampler"
            )
        self.graph, self.seed, self.batches_seen = graph, seed, 0
        self.model, self.kgc_loss, self.regularizer, self.sampler = model, loss, regularizer, sampler
        self.trained: list[tuple[nn.Module, Optimization]] = [(model, optimization)]
        model.encoder.sparse_gradients = optimization.sparse
        if sampler is not None and sampler.optimization is not None:
            self.trained.append((sampler, sampler.optimization))
        self.generator: NegativeGenerator | None = None
        if generation is not None:
            self.generator, self.hardness_loss, self.generated_weight, learning, self.generated_every = generation
            self.diagnostics = LevelDiagnostics(self.generator.levels)
            if learning is not None:
                self.trained.append((self.generator, learning))
        self.known = KnownAnswers(known_triples(graph), graph.num_entities, graph.num_relations)
        category = relation_category(graph.train, graph.num_relations)
        self.metric = LinkPredictionMetric(
            category, graph.seen_entities, lost_modality=graph.lost_modality, linked_pairs=graph.linked_pairs
        )
        self._acceleration = acceleration or Acceleration()
        self._losses = LossMeans()
        self._table: Tensor | None = None

    # --- Algorithm 1 ---------------------------------------------------------------------------------------------

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        with self._acceleration.step():
            return self._step(batch, batch_idx)

    def _step(self, batch: Any, batch_idx: int) -> Tensor:
        """Algorithm 1, the paper's lines without its comments numbered from 1.

        Line 10 stands first: a batch is embedded once, its negatives S- with it.
        """
        seed_default(derive_seed(self.seed, "step", self.batches_seen), self.device)
        self._zero_gradients()

        # 1, 2: positives and their embeddings; 10: L_KGC on S- (Eq. 14), or on all entities
        scored = self._score_sampled(batch) if self.sampler is not None else self._score_everything(batch)
        loss = scored.positive_loss + scored.negative_loss
        size = len(scored.triples)
        self._losses.add("loss_kgc", loss, size)

        if self.generator is not None and batch_idx % self.generated_every == 0:
            positives = scored.batch.positives()
            # 3, 4: noise the embeddings and predict the noise (Eqs. 2, 7-10); 5: optimise theta by L_diff (Eq. 11)
            diffusion = self.generator.loss(positives, self._stream("diffusion"))
            if diffusion is not None:
                self._train_generator(diffusion, size)
            # 6-8: G-, generated embeddings at every hardness level (Eqs. 5-6)
            generated = self.generator.generate(positives, self._stream("generation"))
            # 9: L_HA (Eq. 13)
            loss = loss + self.generated_weight * self._hardness_adaptive(generated, scored, batch_idx == 0)

        # 11: optimise the model by L = L_KGC + lambda L_HA (Eq. 15), and what its parts add to that
        if self.regularizer is not None:
            loss = loss + self.regularizer(self.model, scored.triples, scored.head_side)
        if scored.batch.encoded.loss is not None:
            loss = loss + scored.batch.encoded.loss
        if scored.own_loss is not None:
            self._losses.add("loss_own_entity", scored.own_loss, size)
            loss = loss + scored.own_loss
        self._losses.add("loss", loss, size)
        if scored.sampler_loss is not None:
            self._losses.add("loss_sampler", scored.sampler_loss, size)
            loss = loss + scored.sampler_loss
        self.manual_backward(loss)
        for (owner, _), optimizer in zip(self.trained, self._optimizers(), strict=True):
            if owner is not self.generator:
                optimizer.step()
        self.batches_seen += 1
        return loss.detach()

    def _score_sampled(self, triples: Tensor) -> Scored:
        assert self.sampler is not None
        assert isinstance(self.kgc_loss, SampledLoss)
        negatives = self.sampler(triples, self.batches_seen, self._stream("negatives"), self.model)
        batch, positive, negative, own_loss = score_negatives(self.model, triples, negatives)
        terms = self.kgc_loss.terms(positive, negative, negatives.weight)
        return Scored(triples, negatives.head_side, batch, *terms, negatives.loss, own_loss)

    def _score_everything(self, batch: Answered) -> Scored:
        assert isinstance(self.kgc_loss, AllEntityLoss)
        embedded, queries = embed_queries(self.model, batch.triples, batch.head_side, (batch.queries, batch.row))
        asked = self.model.scorer, queries, embedded.encoded.joint
        of_batch = batch.triples, batch.head_side, embedded
        joined = self.generator is not None and self.hardness_loss.needs_partition
        if not (joined and isinstance(self.kgc_loss, SoftmaxLoss)):
            return Scored(*of_batch, *self.kgc_loss.terms(*asked))
        positive, negative, normaliser = self.kgc_loss.terms_and_normalisers(*asked)
        return Scored(*of_batch, positive, negative, partition=Partition(normaliser, batch.head_side))

    def _train_generator(self, loss: Tensor, size: int) -> None:
        """Optimise theta; where the generator does not detach its inputs, the loss reaches the model too."""
        assert self.generator is not None
        self.manual_backward(loss, retain_graph=not self.generator.detach_inputs)
        self._optimizers()[-1].step()
        if self.generator.detach_inputs:
            self._zero_gradients(besides=self.generator)
        self._losses.add("loss_diffusion", loss, size)

    def _hardness_adaptive(self, generated: GeneratedNegatives, scored: Scored, report: bool) -> Tensor:
        """``L_HA``; its parts go to the diagnostics where a ``report`` is asked for."""
        assert self.generator is not None
        scorer, levels = self.model.scorer, self.generator.levels
        scores = self.hardness_loss.score(generated, self.model.encoder, scorer)
        positive = self._score_positives(generated.positives, scored.triples)
        positive_loss, negative_loss = self.hardness_loss.terms(positive, scores, levels, scorer, scored.partition)
        loss: Tensor = (positive_loss + negative_loss).sum()
        self._losses.add("loss_generated", loss, len(scored.triples))
        if report:
            joint, by_view = scored.batch.encoded.joint, scores_by_view(generated, scorer)
            self.diagnostics.measure(
                generated, by_view, negative_loss, scored.negative_loss, joint, self.generated_weight
            )
            self.diagnostics.warn_if_dead(self.current_epoch)
        return loss

    def _score_positives(self, positives: EmbeddedPositives, triples: Tensor) -> Tensor:
        """``(B,)`` scores of embedded triples, the first of ``triples``; with reciprocal relations ``(2 B,)``."""
        head, tail = positives.head.joint, positives.tail.joint
        score = [self.model.scorer(head, positives.relation, tail)]
        if positives.reciprocal is not None:
            score.append(self.model.scorer(tail, positives.reciprocal, head))
        if self.model.own_entity is not None:
            score = [self.model.own_entity.raise_triples(each, triples[: len(each)]) for each in score]
        return torch.cat(score)

    def _zero_gradients(self, besides: nn.Module | None = None) -> None:
        for (owner, _), optimizer in zip(self.trained, self._optimizers(), strict=True):
            if owner is not besides:
                optimizer.zero_grad()

    def configure_optimizers(self) -> list[dict[str, Any]]:  # type: ignore[override]
        return [optimization.configure(owner.parameters()) for owner, optimization in self.trained]

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        for (_, optimization), own in zip(self.trained, self._optimizers(), strict=True):
            if getattr(own, "optimizer", own) is optimizer:
                optimization.clip(optimizer)

    def on_train_epoch_start(self) -> None:
        self._losses = LossMeans()  # what an epoch that was broken off left is of no other
        self.model.encoder.start_epoch(self.current_epoch)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.trainer.is_last_batch:  # before the epoch is validated
            for name, mean in self._losses.take().items():
                self.log(f"train/{name}", mean, on_step=False, on_epoch=True, prog_bar=name == "loss", batch_size=1)

    def on_train_epoch_end(self) -> None:
        if self.generator is not None:
            # as they are: self.log would keep account of thirty numbers to average one of each
            for logger in self.loggers:
                logger.log_metrics({**self.diagnostics.report, "epoch": self.current_epoch}, step=self.batches_seen - 1)
        schedulers = self.lr_schedulers() or []
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            scheduler.step()  # type: ignore[call-arg]

    def _optimizers(self) -> list[Any]:
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]

    def _stream(self, purpose: str) -> torch.Generator:
        return stream(self.seed, purpose, self.batches_seen, self.global_rank, device=self.device)

    # --- ranking -------------------------------------------------------------------------------------------------

    def score_all(self, queries: Queries) -> Tensor:
        """``(batch, entities)`` fp32 scores of every entity; the entity table is encoded once per evaluation."""
        table = self.model.encode().joint if self._table is None else self._table
        return self.model.score_all(queries, table)

    def score_among(self, queries: Queries, candidates: Tensor) -> Tensor:
        """``(B, C)`` fp32 scores of entities ``(C,)``, at the cost of these alone."""
        table = self.model.encode().joint if self._table is None else self._table
        return self.model.score_among(queries, candidates, table)

    @property
    def score_triples(self) -> ScoreTriples:
        """By which ranking checks the scores of all entities."""
        return self.model.score_triples

    def score_relations(self, triples: Tensor) -> Tensor:
        """``(R,)`` scores of triples ``(R, 3)`` that differ in their relation."""
        return self.model.score_triples(triples)

    def start_ranking(self) -> None:
        """Encode all entities once for all queries that follow, and empty the metric."""
        with torch.autocast(self.device.type, enabled=False):
            # no parameter, though it may share the memory of one, which would be registered as another
            self._table = self.model.joint_table()
        self.metric.reset()

    def end_ranking(self) -> None:
        """Let go of the encoded entities."""
        self._table = None
        self.metric.reset()

    def on_validation_epoch_start(self) -> None:
        self.start_ranking()

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
        self.end_ranking()

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
