"""ComplEx in plain dense fp32 torch, the way that kbc (Lacroix et al., ICML 2018) takes; kbc itself needs a GPU.

kbc is the fastest public trainer and evaluator of this model. What is here does the same work in the same order in our
own words: every triple is a query of its own, scored by one matrix product.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding

from benchmarks.graphs import count, read_triples
from benchmarks.turns import Turns, TurnsOfSteps

HIDDEN = -1e6


class DenseComplEx:
    """Entities ``(E, 2 dim)`` and, for both directions, relations ``(2 R, 2 dim)``; real parts first."""

    def __init__(self, entities: int, relations: int, dim: int) -> None:
        torch.manual_seed(0)
        self.entities = nn.Parameter(1e-3 * torch.randn(entities, 2 * dim))
        self.relations = nn.Parameter(1e-3 * torch.randn(2 * relations, 2 * dim))

    def query(self, head: Tensor, relation: Tensor) -> Tensor:
        """``(B, 2 dim)`` products of heads and relations ``(B, 2 dim)``, whose inner products are scores."""
        (a, b), (c, d) = head.chunk(2, dim=1), relation.chunk(2, dim=1)
        return torch.cat([a * c - b * d, a * d + b * c], dim=1)


def train(turns: Turns, folder: str, dim: int, batch_size: int, steps: int) -> None:
    """Cross entropy over all entities with N3, Adagrad, both directions, counted in epochs."""
    queries = both_directions(torch.from_numpy(read_triples(folder, "train")), count(folder, "relation"))
    model = DenseComplEx(count(folder, "entity"), count(folder, "relation"), dim)
    optimizer = torch.optim.Adagrad([model.entities, model.relations], lr=0.1)
    counted = TurnsOfSteps(turns, steps, steps * batch_size / len(queries))
    while True:
        for batch in torch.split(queries[torch.randperm(len(queries))], batch_size):
            counted.before_step()
            head = embedding(batch[:, 0], model.entities)
            relation = embedding(batch[:, 1], model.relations)
            tail = embedding(batch[:, 2], model.entities)
            loss = cross_entropy(model.query(head, relation) @ model.entities.T, batch[:, 2])
            for factor in (head, relation, tail):
                real, imaginary = factor.chunk(2, dim=1)
                loss = loss + 0.1 / len(batch) * (real.square() + imaginary.square()).sqrt().pow(3).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def rank(turns: Turns, folder: str, dim: int, batch_size: int) -> None:
    """Filtered ranking of the test split, both sides, by an untrained model."""
    relations = count(folder, "relation")
    splits = {split: torch.from_numpy(read_triples(folder, split)) for split in ("train", "valid", "test")}
    model = DenseComplEx(count(folder, "entity"), relations, dim)
    known: dict[tuple[int, int], list[int]] = {}
    for entity, relation, answer in both_directions(torch.cat(list(splits.values())), relations).tolist():
        known.setdefault((entity, relation), []).append(answer)
    answers = {query: torch.tensor(found) for query, found in known.items()}
    queries = both_directions(splits["test"], relations)
    turns.repeat(lambda: filtered_ranks(model, queries, answers, batch_size))


@torch.no_grad()
def filtered_ranks(
    model: DenseComplEx, queries: Tensor, answers: dict[tuple[int, int], Tensor], batch_size: int
) -> Tensor:
    """``(n,)`` pessimistic ranks of the answers to queries ``(n, 3)``, known answers left out."""
    ranks = []
    for batch in torch.split(queries, batch_size):
        scores = model.query(model.entities[batch[:, 0]], model.relations[batch[:, 1]]) @ model.entities.T
        target = scores.gather(1, batch[:, 2:])
        for row, (entity, relation, _) in enumerate(batch.tolist()):
            scores[row, answers[entity, relation]] = HIDDEN
        # the answer itself is hidden too, hence 1
        ranks.append(1 + (scores >= target).sum(dim=1))
    return torch.cat(ranks)


def both_directions(triples: Tensor, relations: int) -> Tensor:
    """``(2 n, 3)`` queries (entity, relation, answer) for tails, then for heads by reciprocal relations."""
    head, relation, tail = triples.unbind(1)
    return torch.cat([triples, torch.stack([tail, relation + relations, head], dim=1)])
