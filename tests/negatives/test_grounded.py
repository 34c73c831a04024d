"""Generated negatives snapped to real entities: which are near, and what the generator learns from."""

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from builders import composed, small_model
from dhns.encoders.structural import StructuralEncoder
from dhns.errors import InputError
from dhns.generators.gaussian import GaussianNegatives
from dhns.generators.levels import HardnessLevel
from dhns.models.kge_model import KGEModel
from dhns.negatives.grounded import GroundedSampler
from dhns.randomness import stream
from dhns.resources import conf_dir
from dhns.scorers.rotate import RotatE
from dhns.scorers.view_energies import ViewEnergies


class Answering:
    """Makes the true entity itself at every level, moved by that of a fixed entity; keeps what it was given."""

    def __init__(self, encoder, scorer, levels):
        self.views, self.levels, self.learned = encoder.view_names, levels, []

    def loss(self, positives, rng):
        self.learned.append(positives)

    def sample(self, positives, rng):
        return positives.replaced(self.views)[:, None].expand(-1, len(self.levels), -1, -1, -1)


def grounded(graph, generator=Answering, levels=1, **options):
    chosen = [HardnessLevel(0.1 * (number + 1)) for number in range(levels)]
    return GroundedSampler(graph, RotatE(3, 3.0), generator, chosen, optimization=None, **options)


@pytest.fixture
def model(toy_graph):
    return small_model(toy_graph, RotatE(3, 3.0), torch.float32).train()


@pytest.mark.parametrize("filtered", [True, False])
def test_the_nearest_wrong_answers_of_what_is_made_are_taken(toy_graph, model, filtered):
    sampler = grounded(toy_graph, num_negatives=4, filtered=filtered)
    negatives = sampler(toy_graph.train, 0, stream(0, "test"), model)
    table = model.eval().encode().joint
    known = {tuple(row) for row in toy_graph.train.tolist()}
    for (h, r, t), head_side, found in zip(
        toy_graph.train.tolist(), negatives.head_side.tolist(), negatives.entity.tolist(), strict=True
    ):
        answer = h if head_side else t
        distance = (table - table[answer]).norm(dim=1).tolist()
        facts = [(e, r, t) if head_side else (h, r, e) for e in range(12)]
        wrong = [e for e in range(12) if e != answer and (not filtered or facts[e] not in known)]
        assert found == sorted(wrong, key=lambda e: distance[e])[:4]


def test_levels_have_equal_shares_the_nearest_first(toy_graph, model):
    class Fixed(Answering):
        """Entity ``level`` at each level."""

        def sample(self, positives, rng):
            rows = table[[8, 10, 11]]
            return rows[None, :, None, None].expand(1, 3, 2, len(positives.relation), -1)

    table = model.eval().encode().joint.detach()
    triples = toy_graph.train[toy_graph.train[:, 1] == 2]
    sampler = grounded(toy_graph, Fixed, levels=3, num_negatives=7)
    drawn = sampler(triples, 0, stream(0, "test"), model)
    tails = [row for row, head in zip(drawn.entity.tolist(), drawn.head_side.tolist(), strict=True) if not head]
    assert tails
    assert all(row[:3] == [8, 10, 11] and len(row) == 7 for row in tails)


def test_too_few_wrong_answers_are_repeated(toy_graph, model):
    negatives = grounded(toy_graph, num_negatives=40)(toy_graph.train, 0, stream(0, "test"), model)
    known = {tuple(row) for row in toy_graph.train.tolist()}
    assert negatives.entity.shape == (len(toy_graph.train), 40)
    for (h, r, t), head_side, found in zip(
        toy_graph.train.tolist(), negatives.head_side.tolist(), negatives.entity.tolist(), strict=True
    ):
        facts = {(e, r, t) if head_side else (h, r, e) for e in found}
        assert not facts & known
        assert len(facts) == 12 - len({f for f in known if f[1] == r and (f[2] == t if head_side else f[0] == h)})


def test_other_answers_are_those_of_other_queries_with_the_relation(toy_graph, model):
    sampler = grounded(toy_graph, learn_from="other_answers")
    sampler(toy_graph.train, 0, stream(0, "test"), model)
    (learned,) = sampler.generator.learned
    table = model.eval().encode().joint
    tails = [int((table - row).norm(dim=1).argmin()) for row in learned.tail.joint]
    heads = [int((table - row).norm(dim=1).argmin()) for row in learned.head.joint]
    assert heads == toy_graph.train[:, 0].tolist()
    for relation in range(3):
        rows = (toy_graph.train[:, 1] == relation).nonzero().flatten().tolist()
        own = [toy_graph.train[row, 2].item() for row in rows]
        assert sorted(tails[row] for row in rows) == sorted(own)
        if relation == 0:  # a ring: tails are distinct, and so no one keeps its own
            assert all(tails[row] != tail for row, tail in zip(rows, own, strict=True))


def test_views_are_fused_before_they_are_imitated(toy_graph, model):
    sampler = grounded(toy_graph)
    sampler(toy_graph.train, 0, stream(0, "test"), model)
    (learned,) = sampler.generator.learned
    joint = model.eval().encode().joint[toy_graph.train[:, 2]]
    assert torch.allclose(learned.tail.views["structure"], joint)
    assert not learned.tail.joint.requires_grad


def test_reciprocal_relations_ask_for_heads(toy_graph):
    scorer = RotatE(3, 3.0)
    model = KGEModel(StructuralEncoder(toy_graph, scorer), scorer, toy_graph.num_relations, reciprocal=True)
    sampler = grounded(toy_graph)
    sampler(toy_graph.train, 0, stream(0, "test"), model)
    (learned,) = sampler.generator.learned
    assert torch.equal(learned.reciprocal, model.relations.detach()[toy_graph.train[:, 1] + 3])


def test_a_generator_without_parameters_needs_no_optimizer(toy_graph):
    sampler = grounded(toy_graph, GaussianNegatives)
    assert sampler.optimization is None


def test_several_views_side_by_side_are_refused(toy_graph):
    config = composed("model=ikrl")
    scorer = instantiate(config.scorer)
    assert isinstance(scorer, ViewEnergies)
    model = KGEModel(instantiate(config.encoder)(graph=toy_graph, scorer=scorer), scorer, toy_graph.num_relations)
    sampler = GroundedSampler(toy_graph, scorer, Answering, [HardnessLevel(0.1)], optimization=None)
    with pytest.raises(InputError, match="ProjectedViews puts more than that side by side"):
        sampler(toy_graph.train, 0, stream(0, "test"), model)


def test_no_level_is_refused(toy_graph):
    with pytest.raises(InputError, match="levels is empty"):
        grounded(toy_graph, levels=0)


def test_its_file_has_the_generator_of_default():
    own = OmegaConf.to_container(OmegaConf.load(conf_dir() / "negatives" / "grounded.yaml"), resolve=False)
    default = OmegaConf.to_container(composed("generator=default").generator, resolve=False)
    assert [level["time"] for level in own["levels"]] == [level["time"] for level in default["levels"]]
    assert own["optimization"] == default["optimization"]
    generator = default["model"] | {"rows": None}
    assert {key: generator[key] for key in own["generator"] if key != "denoiser"} == {
        key: value for key, value in own["generator"].items() if key != "denoiser"
    }
    assert own["generator"]["denoiser"].items() <= generator["denoiser"].items()
