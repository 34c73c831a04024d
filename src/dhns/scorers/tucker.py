"""TuckER: one core tensor for all relations (Balazevic et al., EMNLP 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, dropout, embedding

from dhns.errors import InputError
from dhns.ranges import BelowOne, Count, Positive
from dhns.scorers.scorer import SimilarityScorer


class TuckER(SimilarityScorer):
    """``W x_1 h x_2 r x_3 t``: ``h^T W_r t`` with ``W_r = sum_k r_k W_k``, slices of a core tensor for all relations.

    Heads are asked for by the transpose of ``W_r``. The paper instead learns a reciprocal relation for that
    (``reciprocal=true``) and trains on all entities (``negatives=all``).

    ``W_r`` is made once for all rows of a batch that have the relation. That takes ``min(B, relations) D^2`` numbers,
    73 MB for 279 relations of width 256; in `prepare` it would be made for relations that a batch has not, and copied
    for every row; row by row it would cost several times the arithmetic. To tell which rows share a relation, a
    prepared one ends with its number in the table, counted from 1 and negative for the inverse.

    Departures from the paper:
        Dropout of the core falls on the matrix of a relation, not of a row: rows of a batch that share a relation share
        what is dropped. A batch of a single row is normalised by the running statistics.

    Args:
        dim: D, length of entity vectors.
        relation_dim: length of relation vectors; ``dim`` when null.
        input_dropout: share of the numbers of the known entity that are dropped in training.
        core_dropout: the same for the matrices ``W_r``.
        query_dropout: the same for the product of entity and matrix.
        normalize: batch normalisation of the known entity and of the product, which fits reciprocal relations only:
            normalised, ``h^T W_r`` and ``W_r t`` no longer score a triple alike.
        init_range: half-width of the uniform initialisation of entities; that of the core tensor is 1.

    Raises:
        InputError: a query uses the inverse of a relation although ``normalize`` is set.
    """

    def __init__(
        self,
        dim: Count,
        relation_dim: Count | None = None,
        input_dropout: BelowOne = 0.3,
        core_dropout: BelowOne = 0.4,
        query_dropout: BelowOne = 0.5,
        normalize: bool = True,
        init_range: Positive = 0.02,
    ) -> None:
        super().__init__()
        self.entity_width = dim
        self.relation_width = dim if relation_dim is None else relation_dim
        self.init_range = init_range
        self.input_dropout, self.core_dropout, self.query_dropout = input_dropout, core_dropout, query_dropout
        self.core = nn.Parameter(torch.empty(self.relation_width, dim, dim).uniform_(-1, 1))
        self.input_norm = nn.BatchNorm1d(dim) if normalize else None
        self.query_norm = nn.BatchNorm1d(dim) if normalize else None

    def initial_relations(self, count: int) -> Tensor:
        return nn.init.xavier_normal_(torch.empty(count, self.relation_width))

    def prepare(self, relations: Tensor) -> Tensor:
        number = torch.arange(1, len(relations) + 1, dtype=relations.dtype, device=relations.device)
        return torch.cat([relations, number[:, None]], dim=1)

    def inverse(self, relation: Tensor) -> Tensor:
        return torch.cat([relation[..., :-1], -relation[..., -1:]], dim=-1)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        return self._query(entity, relation, self.training)

    def condition(self, entity: Tensor, relation: Tensor, head_side: Tensor) -> Tensor:
        # what a generator is told must not depend on chance, nor on the rest of the batch
        return self._query(entity, self.directed(relation, head_side), training=False)

    def _query(self, entity: Tensor, relation: Tensor, training: bool) -> Tensor:
        shape = torch.broadcast_shapes(entity.shape[:-1], relation.shape[:-1])  # type: ignore[no-untyped-call]
        rows = entity.expand(*shape, -1).reshape(-1, self.entity_width)
        rows = dropout(_normalized(rows, self.input_norm, training), self.input_dropout, training)
        relation = relation.expand(*shape, -1).reshape(len(rows), -1)
        if self.input_norm is not None and (relation[:, -1] < 0).any():
            raise InputError(
                "scorer.normalize=true makes the score of a triple depend on the side that is asked for; set "
                "reciprocal=true, which has a score per side, or scorer.normalize=false"
            )
        product = self._multiply(rows, relation[:, :-1], relation[:, -1], training)
        product = dropout(_normalized(product, self.query_norm, training), self.query_dropout, training)
        return product.view(*shape, self.entity_width)

    def _multiply(self, rows: Tensor, vectors: Tensor, number: Tensor, training: bool) -> Tensor:
        """``(B, D)`` rows times the matrices of their relations ``vectors`` ``(B, R)``, or times the transposes."""
        _, group, count = torch.unique(number.abs(), return_inverse=True, return_counts=True)
        order = group.argsort()
        first = order[count.cumsum(0) - count]
        matrices = (embedding(first, vectors) @ self.core.flatten(1)).view(-1, self.entity_width, self.entity_width)
        matrices = dropout(matrices, self.core_dropout, training)
        blocks = torch.split(embedding(order, rows), count.tolist())
        ahead = torch.cat([block @ matrix for block, matrix in zip(blocks, matrices.unbind(), strict=True)])
        back = torch.cat([block @ matrix.T for block, matrix in zip(blocks, matrices.unbind(), strict=True)])
        product = torch.where(number[order, None] < 0, back, ahead)
        return torch.empty_like(product).index_copy(0, order, product)


def _normalized(rows: Tensor, norm: nn.BatchNorm1d | None, training: bool) -> Tensor:
    if norm is None:
        return rows
    training = training and len(rows) > 1
    return batch_norm(rows, norm.running_mean, norm.running_var, norm.weight, norm.bias, training, eps=norm.eps)
