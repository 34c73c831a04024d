"""Generated negatives on the ground: each is the real entity that is nearest to what a generator made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from dhns.encoders.encoder import STRUCTURE, Encoded
from dhns.encoders.structural import StructuralEncoder
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import answers
from dhns.models.batch import EmbeddedPositives, Negatives
from dhns.models.current_scores import as_it_ranks
from dhns.models.kge_model import KGEModel
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.negatives.hardest import wrong_answers
from dhns.optim.optimization import Optimization
from dhns.ranges import Count
from dhns.scorers.scorer import Scorer

LearnFrom = Literal["answers", "other_answers"]


class EmbeddingGenerator(Protocol):
    """What is asked of a generator, any `dhns.generators.generator.NegativeGenerator`."""

    def loss(self, positives: EmbeddedPositives, rng: torch.Generator) -> Tensor | None: ...

    def sample(self, positives: EmbeddedPositives, rng: torch.Generator) -> Tensor: ...


class GroundedSampler(BernoulliSampler):
    """Snaps what a generator makes to the nearest real entities, so that it can be filtered and scored as any other.

    The generator imitates embeddings as the model scores them, views fused, whichever encoder made them. Of each
    positive it makes one embedding per level; of each embedding the nearest wrong answers are taken, by Euclidean
    distance, as many as fill ``num_negatives``. Low levels stay near the answer, and so give its neighbours; high ones
    give entities from all over. Where there are too few wrong answers they are repeated.

    Args:
        graph: see `EntitySampler`.
        scorer: of the model; only its widths and its condition are used.
        generator: makes the generator from ``encoder``, ``scorer`` and ``levels``; DiffHEG, or a control.
        levels: of hardness; their times count, weights and margins do not.
        optimization: of the generator; ignored for one that has nothing to learn.
        num_negatives: N, negatives per positive; levels have equal shares, the first ones one more if need be.
        learn_from: what the generator learns to make of a query: its ``answers``, as DiffHEG does; or
            ``other_answers``, of other queries of the batch with the same relation: what is plausible and is wrong.
        filtered: known training answers are not taken; false takes them, all but the positive's own.

    Raises:
        InputError: there is no level, or joint embeddings hold more than one view.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        generator: Callable[..., Any],
        levels: Sequence[Any],
        optimization: Optimization,
        num_negatives: Count = 64,
        learn_from: LearnFrom = "answers",
        filtered: bool = True,
    ) -> None:
        super().__init__(graph, num_negatives, filtered)
        if not levels:
            raise InputError("negatives.levels is empty; give one level at least, such as {time: 0.1}")
        self.learn_from = learn_from
        self.each = -(-num_negatives // len(levels))
        made = generator(encoder=StructuralEncoder(graph, scorer), scorer=scorer, levels=list(levels))
        self.generator: EmbeddingGenerator = made
        learns = isinstance(made, nn.Module) and any(True for _ in made.parameters())
        self.optimization = optimization if learns else None

    def forward(self, triples: Tensor, step: int, rng: torch.Generator, model: KGEModel) -> Negatives:
        queries = self.ask(triples, step, rng)
        with as_it_ranks(model):
            relations = model.relation_table()
            table = model.encode(None, relations).joint.detach()
            positives = self._embedded(model, table, relations, triples)
        learned = self._with_other_answers(positives, triples, rng) if self.learn_from == "other_answers" else positives
        loss = self.generator.loss(learned, rng)
        with torch.no_grad():
            samples = self.generator.sample(positives, rng)[0]
        row = torch.arange(len(triples), device=triples.device)
        made = samples[:, queries.head_side.long(), row]
        wrong = wrong_answers(queries, answers(triples, queries.head_side), self.num_entities, self.known)
        return Negatives(queries, self._nearest(made, table, wrong), loss=loss)

    def _embedded(self, model: KGEModel, table: Tensor, relations: Tensor, triples: Tensor) -> EmbeddedPositives:
        """Positives whose only view is the joint embedding."""
        if table.shape[1] != model.scorer.entity_width:
            raise InputError(
                f"negatives=grounded imitates one embedding per entity, and {type(model.encoder).__name__} puts more "
                "than that side by side; choose encoder=structural or attention_fusion, or another sampler"
            )
        head, relation, tail = triples.unbind(1)
        ends = (self._encoded(table[end]) for end in (head, tail))
        back = relations[relation + model.num_relations].detach() if model.reciprocal else None
        return EmbeddedPositives(next(ends), relations[relation].detach(), next(ends), back)

    @staticmethod
    def _encoded(rows: Tensor) -> Encoded:
        everyone = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
        return Encoded(rows, {STRUCTURE: rows}, {STRUCTURE: everyone})

    def _with_other_answers(
        self, positives: EmbeddedPositives, triples: Tensor, rng: torch.Generator
    ) -> EmbeddedPositives:
        """The same heads and relations with tails of other positives of the relation: those of a relation trade them.

        Seen from the tails, heads are traded too.
        """
        order = torch.randperm(len(triples), generator=rng, device=triples.device)
        grouped = order[triples[order, 1].sort(stable=True).indices]
        relation = triples[grouped, 1]
        first = torch.searchsorted(relation, relation)
        size = torch.searchsorted(relation, relation, right=True) - first
        place = torch.arange(len(triples), device=triples.device)
        partner = torch.empty_like(grouped)
        partner[grouped] = grouped[first + (place - first + 1) % size]
        return EmbeddedPositives(positives.head, positives.relation, positives.tail.rows(partner), positives.reciprocal)

    def _nearest(self, made: Tensor, table: Tensor, wrong: Tensor) -> Tensor:
        """``(B, N)`` the wrong answers ``(B, E)`` nearest to ``made`` ``(L, B, D)``, each level's nearest first."""
        count = wrong.sum(1, keepdim=True)
        wrong, count = wrong | (count == 0), torch.where(count == 0, wrong.shape[1], count)
        place = torch.arange(self.each, device=table.device)
        squares = table.square().sum(1)
        found = []
        for level in made:
            distance = squares - 2 * level @ table.T  # but for what all entities have in common
            order = distance.masked_fill(~wrong, torch.inf).topk(min(self.each, len(table)), largest=False).indices
            found.append(order.gather(1, place % count.clamp(max=order.shape[1])))
        return torch.stack(found, dim=2).flatten(1)[:, : self.num_negatives]
