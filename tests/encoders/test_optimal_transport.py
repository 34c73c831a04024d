"""The encoder of OTKGE: Sinkhorn's plan, the transport of coordinates, and the fused embedding."""

import dataclasses
import itertools
import math

import pytest
import torch

from dhns.encoders.optimal_transport import OptimalTransport, centred, coordinate_cost, transport_plan
from dhns.errors import InputError
from dhns.graph.knowledge_graph import Modality
from dhns.scorers.complex import ComplEx

SHARES = (0.3, 0.5)


@pytest.fixture
def scorer():
    return ComplEx(3)


@pytest.fixture
def encoder(toy_graph, scorer):
    torch.manual_seed(0)
    return OptimalTransport(toy_graph, scorer, shares=SHARES)


def random_cost(rows, columns, seed=0):
    return torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_marginals_are_uniform():
    plan = transport_plan(random_cost(7, 4), entropy=0.1, iterations=200)
    assert (plan > 0).all()
    torch.testing.assert_close(plan.sum(0), torch.full((4,), 1 / 4, dtype=torch.float64))
    torch.testing.assert_close(plan.sum(1), torch.full((7,), 1 / 7, dtype=torch.float64), rtol=1e-6, atol=1e-9)


def test_the_plan_of_two_points_is_the_known_one():
    """Of cost ``c`` off the diagonal, half of the mass is split as ``1 : exp(-c / entropy)``."""
    cost, entropy = 0.7, 0.4
    plan = transport_plan(torch.tensor([[0, cost], [cost, 0]], dtype=torch.float64), entropy, 50)
    stays = 0.5 / (1 + math.exp(-cost / entropy))
    expected = torch.tensor([[stays, 0.5 - stays], [0.5 - stays, stays]], dtype=torch.float64)
    torch.testing.assert_close(plan, expected)


def test_with_little_entropy_the_plan_is_the_best_assignment():
    cost = random_cost(4, 4)
    table = cost.tolist()
    best = min(itertools.permutations(range(4)), key=lambda p: sum(table[i][p[i]] for i in range(4)))
    plan = transport_plan(cost, entropy=0.0005, iterations=2000)
    expected = torch.zeros(4, 4, dtype=torch.float64)
    expected[range(4), best] = 1 / 4
    torch.testing.assert_close(plan, expected, atol=1e-3, rtol=0)


def test_with_much_entropy_the_plan_is_uniform():
    plan = transport_plan(random_cost(3, 5), entropy=1e6, iterations=5)
    torch.testing.assert_close(plan, torch.full((3, 5), 1 / 15, dtype=torch.float64), rtol=1e-5, atol=0)


def test_large_costs_do_not_underflow():
    plan = transport_plan(1e4 * random_cost(5, 3).float(), entropy=0.1, iterations=50)
    torch.testing.assert_close(plan.sum(0), torch.full((3,), 1 / 3))


def test_costs_are_mean_squared_differences_in_each_tables_own_unit():
    generator = torch.Generator().manual_seed(0)
    features, structure = torch.randn(6, 3, generator=generator), 0.01 * torch.randn(6, 2, generator=generator)
    features[4], structure[4] = 0, 0  # an entity that does not count
    found, unit = coordinate_cost(features, structure)
    rows, f, s = (0, 1, 2, 3, 5), features.tolist(), structure.tolist()
    f_unit = math.sqrt(sum(f[i][j] ** 2 for i in rows for j in range(3)) / 15)
    s_unit = math.sqrt(sum(s[i][k] ** 2 for i in rows for k in range(2)) / 10)
    assert unit.item() == pytest.approx(s_unit / f_unit, rel=1e-5)
    for j, k in itertools.product(range(3), range(2)):
        expected = sum((f[i][j] / f_unit - s[i][k] / s_unit) ** 2 for i in rows) / 5
        assert found[j, k].item() == pytest.approx(expected, rel=1e-4)


def test_features_are_centred_over_present_entities():
    generator = torch.Generator().manual_seed(0)
    present = torch.arange(8) != 2
    features = centred(Modality(5 + 3 * torch.randn(8, 4, generator=generator), present))
    assert torch.equal(features[2], torch.zeros(4))
    torch.testing.assert_close(features[present].mean(0), torch.zeros(4), atol=1e-6, rtol=0)
    assert features[present].square().sum(1).mean().item() == pytest.approx(1, rel=1e-5)


def test_features_that_are_all_the_same_carry_nothing(toy_graph, scorer):
    same = Modality(torch.ones(12, 5), torch.ones(12, dtype=torch.bool))
    graph = dataclasses.replace(toy_graph, modalities={**toy_graph.modalities, "visual": same})
    encoded = OptimalTransport(graph, scorer)()
    assert torch.equal(encoded.views["visual"], torch.zeros(12, 6))
    assert encoded.joint.isfinite().all()


def test_views_are_features_times_plan_and_offset(encoder):
    """Without the offset, a coordinate is a convex combination of the features, in the unit of the structure."""
    for name in ("visual", "textual"):
        transport = encoder.transports[name]
        features, present = transport.table()
        _, unit = coordinate_cost(features, encoder.structure.detach() * present[:, None])
        assert (transport.projection > 0).all()
        torch.testing.assert_close(transport.projection.sum(0), unit.expand(encoder.width))
        f, t, d = (table.tolist() for table in (features, transport.projection, transport.offset))
        found = encoder().views[name]
        for i, k in itertools.product(range(encoder.num_entities), range(encoder.width)):
            expected = sum(f[i][j] * (t[j][k] + d[j][k]) for j in range(len(t)))
            assert found[i, k].item() == pytest.approx(expected, abs=1e-5)


def test_joint_embedding_is_the_weighted_mean_of_present_views(encoder):
    shares = {"structure": 1 - sum(SHARES), "visual": SHARES[0], "textual": SHARES[1]}
    encoded = encoder()
    assert encoder.view_names == tuple(shares)
    for i in range(encoder.num_entities):
        there = [name for name in shares if encoded.present[name][i]]
        assert len(there) == (3 if i % 2 == 0 else 2)
        total = sum(shares[name] for name in there)
        views = {name: encoded.views[name][i].tolist() for name in there}
        for k in range(encoder.width):
            expected = sum(shares[name] / total * views[name][k] for name in there)
            assert encoded.joint[i, k].item() == pytest.approx(expected, abs=1e-6)


def test_absent_features_do_not_influence_anything(toy_graph, scorer):
    visual = toy_graph.modalities["visual"]
    changed = visual.features.clone()
    changed[~visual.present] = 100
    other = dataclasses.replace(
        toy_graph, modalities={**toy_graph.modalities, "visual": Modality(changed, visual.present)}
    )
    joints = []
    for graph in (toy_graph, other):
        torch.manual_seed(0)
        joints.append(OptimalTransport(graph, scorer)().joint)
    torch.testing.assert_close(*joints)


def test_gradients_reach_the_structure_and_the_offsets(encoder):
    encoder().joint.square().sum().backward()
    assert (encoder.structure.grad.abs().sum(1) > 0).all()
    for transport in encoder.transports.values():
        assert transport.offset.grad.abs().sum() > 0
        assert not transport.projection.requires_grad
    assert len(list(encoder.parameters())) == 3


def test_plans_follow_the_structure_from_epoch_to_epoch(toy_graph, encoder):
    """A structural coordinate that repeats a feature draws that feature's mass."""
    transport = encoder.transports["textual"]
    features = transport.table()[0]
    before = transport.projection.clone()
    with torch.no_grad():
        encoder.structure[:, 1] = 5 * features[:, 2]
    torch.testing.assert_close(transport.projection, before)
    encoder.start_epoch(1)
    assert transport.projection[:, 1].argmax() == 2
    assert transport.projection[2].argmax() == 1


def test_plans_travel_with_the_checkpoint_and_features_do_not(encoder):
    names = set(encoder.state_dict())
    assert {"transports.visual.projection", "transports.textual.projection"} < names
    assert not any("features" in name or "present" in name for name in names)


def test_a_graph_without_images_runs_on_text_alone(toy_graph, scorer):
    graph = dataclasses.replace(toy_graph, modalities={"textual": toy_graph.modalities["textual"]})
    with pytest.raises(InputError, match="no modality 'visual'"):
        OptimalTransport(graph, scorer)
    encoder = OptimalTransport(graph, scorer, when_missing="use_available", shares=SHARES)
    assert encoder.missing == ("visual",)
    encoded = encoder()
    expected = (0.2 * encoded.views["structure"] + 0.5 * encoded.views["textual"]) / 0.7
    torch.testing.assert_close(encoded.joint, expected)


@pytest.mark.parametrize("shares", [[0.5], [0.5, 0.5], [-0.1, 0.5]])
def test_shares_that_fit_nothing_are_named(toy_graph, scorer, shares):
    with pytest.raises(InputError, match=r"encoder.shares is .* expected a number of at least 0 for each of"):
        OptimalTransport(toy_graph, scorer, shares=shares)
