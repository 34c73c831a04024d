"""N3 on fused embeddings against its formula."""

import pytest
import torch

from dhns.encoders.attention_fusion import AttentionFusion
from dhns.encoders.structural import StructuralEncoder
from dhns.losses.fused_norm import FusedPowerNorm
from dhns.losses.regularizer import PowerNorm
from dhns.models.kge_model import KGEModel
from dhns.scorers.complex import ComplEx

HEAD_SIDE = torch.tensor([False, True, True])


def model(graph, encoder):
    torch.manual_seed(0)
    scorer = ComplEx(2)
    return KGEModel(encoder(graph, scorer), scorer, graph.num_relations, reciprocal=True)


def test_penalty_is_the_formula(toy_graph):
    fusing, triples = model(toy_graph, AttentionFusion), toy_graph.train[[0, 3, 11]]
    joint, relations = fusing.encode().joint.tolist(), fusing.relations.tolist()
    total = 0.0
    for (h, r, t), asked in zip(triples.tolist(), HEAD_SIDE.tolist(), strict=True):
        for row in (joint[h], relations[r + 3 * asked], joint[t]):
            total += sum(abs(complex(row[i], row[2 + i])) ** 3 for i in range(2))
    assert FusedPowerNorm(0.2)(fusing, triples, HEAD_SIDE).item() == pytest.approx(0.2 * total / 3, rel=1e-5)


def test_without_features_it_is_the_weighted_norm_of_the_structure(toy_graph):
    plain, triples = model(toy_graph, StructuralEncoder), toy_graph.train[[0, 3, 11]]
    found, expected = (norm(plain, triples, HEAD_SIDE) for norm in (FusedPowerNorm(0.2), PowerNorm(0.2, rows="batch")))
    torch.testing.assert_close(found, expected)


def test_projections_of_features_are_penalised(toy_graph):
    fusing = model(toy_graph, AttentionFusion)
    FusedPowerNorm(0.2)(fusing, toy_graph.train[:3], HEAD_SIDE).backward()
    assert all(project.weight.grad.abs().sum() > 0 for project in fusing.encoder.projections.values())
