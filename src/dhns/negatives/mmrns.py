"""Relation-enhanced negative sampling for multimodal graphs (MMRNS; Xu et al., ACM MM 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries, answers
from dhns.models.batch import Negatives
from dhns.models.kge_model import KGEModel
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.negatives.cross_modal_attention import CrossModalAttention, Similarity
from dhns.optim.optimization import Optimization
from dhns.ranges import Count, NotNegative, Positive
from dhns.scorers.scorer import Scorer


class Picked(NamedTuple):
    """K candidates of each of B positives.

    Attributes:
        place: ``(B, K)`` positions in the pool, distinct in a row, in the order of drawing.
        share: ``(B, K)`` their soft Gumbel weights, which carry gradients.
    """

    place: Tensor
    share: Tensor


class MMRNS(BernoulliSampler):
    """Draws entities that resemble the true one under the relation, by a similarity that it learns.

    Each step takes a random pool of candidates. A candidate's chance is the sum over views of
    ``softmax(cosine / temperature)`` (see `CrossModalAttention`), and N of them are drawn without replacement by the
    Gumbel trick. The temperature falls as ``exploration / (1 + ln(1 + step))``: from exploring to exploiting. The
    sampler learns from the KGE loss, through straight-through weights of the drawn negatives (their value is 1), and
    from a contrastive loss that makes answers of one query alike and others different. It descends both losses, as the
    paper's does: it does not play against the model.

    Departures: one draw of noise and the N largest in place of N draws, which has the same law (Kool et al., ICML
    2019); weights in place of mixed embeddings, so that any scorer and encoder will do; the contrastive loss takes one
    other answer per positive, where the published code takes those that happen to lie in the pool, and weighs all
    candidates alike; what comes from the model is detached, where the paper trains it too; sides are Bernoulli, as for
    all samplers here; candidates that lack a view have no share of its softmax. Where the pool has too few unknown
    entities the rest is drawn uniformly, with a weight of 1.

    Args:
        graph: its modalities are compared, whichever there are.
        scorer: of the model; only its widths are used.
        optimization: of the sampler's parameters.
        num_negatives: N, negatives per positive.
        candidates: size of the pool, which all positives of a batch share as in the published code (1500 there).
        dim: channels in which a modality is compared.
        exploration: temperature of the first step.
        contrastive: weight of the contrastive loss.
        filtered: never draw a known training answer. The true entity is never drawn anyway.

    Raises:
        InputError: a number is out of range, or the graph has no modality.
    """

    reads_features = True

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        optimization: Optimization,
        num_negatives: Count = 64,
        candidates: Count = 256,
        dim: Count = 64,
        exploration: Positive = 10.0,
        contrastive: NotNegative = 0.01,
        filtered: bool = True,
    ) -> None:
        super().__init__(graph, num_negatives, filtered)
        if candidates < num_negatives:
            raise InputError(
                f"negatives.candidates is {candidates}; expected at least negatives.num_negatives, {num_negatives}"
            )
        if exploration <= 0:
            raise InputError(f"negatives.exploration is {exploration}; expected a temperature above 0")
        self.optimization = optimization
        self.candidates = min(candidates, graph.num_entities)
        self.exploration = exploration
        self.contrastive = contrastive
        self.answers = self.known or KnownAnswers(graph.train, graph.num_entities, graph.num_relations)
        self.attention = CrossModalAttention(graph, scorer, dim)

    def forward(self, triples: Tensor, step: int, rng: torch.Generator, model: KGEModel) -> Negatives:
        queries = self.ask(triples, step, rng)
        pool = torch.randperm(self.num_entities, generator=rng, device=triples.device)[: self.candidates]
        true = answers(triples, queries.head_side)
        similarities = self.attention(
            model.encoder.structure.detach(),
            model.relations.detach()[model.relation_rows(queries)],
            true,
            self.another_answer(queries, true, rng),
            pool,
        )
        excluded = self.excluded(queries, true, pool)
        picked = self.pick(list(similarities.values()), excluded, self.temperature(step), rng)
        entity = self.draw(queries, self.num_negatives, rng)
        weight = torch.ones_like(entity, dtype=picked.share.dtype)
        found, k = ~excluded.gather(1, picked.place), picked.place.shape[1]
        entity[:, :k] = torch.where(found, pool[picked.place], entity[:, :k])
        weight[:, :k] += (picked.share - picked.share.detach()) * found
        loss = self.contrastive * contrastive_loss(list(similarities.values()), excluded)
        return Negatives(queries, entity, weight=weight, loss=loss)

    def temperature(self, step: int) -> float:
        """Of the softmax over candidates, after ``step`` batches."""
        return self.exploration / (1 + math.log1p(step))

    def another_answer(self, queries: Queries, true: Tensor, rng: torch.Generator) -> Tensor:
        """``(B,)`` a known training answer of each query, drawn uniformly; the true one where nothing is known."""
        _, start, length = self.answers.rows(queries)
        draw = torch.rand(len(true), generator=rng, device=true.device, dtype=torch.float64)
        position = (start + (draw * length).long()).clamp(max=len(self.answers.answers) - 1)
        return torch.where(length > 0, self.answers.answers[position], true)

    def excluded(self, queries: Queries, true: Tensor, pool: Tensor) -> Tensor:
        """``(B, P)`` bool: candidates that are the true entity or, if filtered, any known training answer."""
        row, answer = torch.arange(len(true), device=true.device), true
        if self.known is not None:
            known_row, known_answer = self.known.lookup(queries)
            row, answer = torch.cat([row, known_row]), torch.cat([answer, known_answer])
        place = torch.full((self.num_entities,), len(pool), device=pool.device)
        place[pool] = torch.arange(len(pool), device=pool.device)
        # one more column takes those that are not in the pool
        excluded = torch.zeros(len(true), len(pool) + 1, dtype=torch.bool, device=pool.device)
        excluded.index_put_((row, place[answer]), torch.ones_like(row, dtype=torch.bool))
        return excluded[:, :-1]

    def pick(
        self,
        similarities: Sequence[Similarity],
        excluded: Tensor,
        temperature: float,
        rng: torch.Generator,
    ) -> Picked:
        """Draw candidates without replacement, excluded ones ``(B, P)`` last."""
        chance = torch.zeros_like(similarities[0].pool)
        lowest = torch.finfo(chance.dtype).min
        for similarity in similarities:
            admitted = similarity.pool_known & ~excluded
            logits = (similarity.pool / temperature).masked_fill(~admitted, lowest)
            chance = chance + logits.softmax(-1) * admitted
        tiny = torch.finfo(chance.dtype).tiny
        gumbel = -torch.empty_like(chance).exponential_(generator=rng).log()
        keys = (chance.clamp(min=tiny).log() + gumbel).masked_fill(excluded, lowest)
        place = keys.topk(min(self.num_negatives, keys.shape[1])).indices
        return Picked(place, keys.softmax(-1).gather(1, place))


def contrastive_loss(similarities: Sequence[Similarity], excluded: Tensor) -> Tensor:
    """``-log(exp(cosine with an answer) / sum exp(cosine with candidates))``: mean over queries, then over views.

    Candidates that are answers themselves, ``excluded`` ``(B, P)``, do not count; nor do queries whose true entity, or
    whose other answer, or all of whose candidates lack the view.
    """
    losses = []
    for similarity in similarities:
        admitted = similarity.pool_known & ~excluded
        counts = similarity.answer_known & admitted.any(-1)
        others = similarity.pool.masked_fill(~admitted, torch.finfo(similarity.pool.dtype).min).logsumexp(-1)
        terms = torch.where(counts, others - similarity.answer, 0)
        losses.append(terms.sum() / counts.sum().clamp(min=1))
    return torch.stack(losses).mean()
