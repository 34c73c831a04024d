"""Modality adversarial training: what fakes are made of, how they are scored, and that the generator learns to pass."""

import cmath
import itertools
import math

import pytest
import torch
from hydra.utils import instantiate

from builders import composed, embedded, small_model
from dhns.encoders.structural import StructuralEncoder
from dhns.errors import InputError
from dhns.generators.adversarial import ModalityAdversary
from dhns.generators.levels import HardnessLevel
from dhns.randomness import stream
from dhns.scorers.rotate import RotatE

MARGIN = 3.0
WIDTH = 6
LEVELS = (HardnessLevel(0.0), HardnessLevel(0.0))


@pytest.fixture
def model(toy_graph):
    return small_model(toy_graph, RotatE(WIDTH // 2, MARGIN))


@pytest.fixture
def positives(model, toy_graph):
    return embedded(model, toy_graph.train)


@pytest.fixture
def make(model):
    def build(levels=LEVELS, **options):
        torch.manual_seed(1)
        options = {"noise_width": 3, "hidden_width": 5, **options}
        return ModalityAdversary(model.encoder, model.scorer, levels, **options).double()

    return build


def generated(adversary, positives):
    return adversary.generate(positives, stream(0, "generation"))


# --- what fakes are made of ---------------------------------------------------------------------------------------


def test_fakes_keep_the_structure_of_the_entity_that_they_replace(make, positives):
    fakes = generated(make(), positives).views["structure"]
    for level in range(len(LEVELS)):
        assert torch.equal(fakes[level, 0], positives.tail.views["structure"])
        assert torch.equal(fakes[level, 1], positives.head.views["structure"])


def leaky(x):
    return x if x > 0 else 0.01 * x


def affine(layer, vector):
    return [
        sum(w * x for w, x in zip(row, vector, strict=True)) + bias
        for row, bias in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
    ]


def test_other_views_are_made_of_noise_and_structure(make, positives):
    adversary, inputs = make(), {}
    for name, network in adversary.networks.items():
        network.register_forward_hook(lambda _, args, __, name=name: inputs.update({name: args[0]}))
    fakes = generated(adversary, positives)
    assert set(inputs) == set(fakes.views) - {"structure"} == {"visual", "textual"}
    for name, given in inputs.items():
        noise, structure = given.split([3, WIDTH], dim=-1)
        assert torch.equal(structure, fakes.views["structure"])
        assert len(noise.flatten().unique()) == noise.numel(), "every fake has noise of its own"
        assert noise.std().item() == pytest.approx(1, abs=0.2)
        first, _, last = adversary.networks[name]
        for level, side, row in itertools.product(range(2), range(2), range(3)):
            hidden = [leaky(x) for x in affine(first, given[level, side, row].tolist())]
            assert fakes.views[name][level, side, row].tolist() == pytest.approx(affine(last, hidden))
    assert not torch.equal(inputs["visual"], inputs["textual"])


def test_fakes_have_every_view(make, positives):
    fakes = generated(make(), positives)
    assert not positives.present(("visual",)).all(), "some entity must lack a view"
    assert all(mask.all() for mask in fakes.present.values())
    assert set(fakes.present) == set(fakes.views)


def test_there_must_be_a_modality(toy_graph):
    scorer = RotatE(3)
    with pytest.raises(InputError, match=r"structural view only.*encoder=attention_fusion"):
        ModalityAdversary(StructuralEncoder(toy_graph, scorer), scorer, LEVELS)


# --- how fakes are scored -----------------------------------------------------------------------------------------


def numbers(vector):
    """Complex numbers of a vector that holds real parts, then imaginary ones."""
    half = len(vector) // 2
    return [complex(a, b) for a, b in zip(vector[:half], vector[half:], strict=True)]


def fused(model, vectors):
    """``sum_v a_v view_v`` with ``a = softmax(w . tanh(view))``."""
    weight = model.encoder.attention.weight[0].tolist()
    shares = [math.exp(sum(w * math.tanh(x) for w, x in zip(weight, vector, strict=True))) for vector in vectors]
    columns = zip(*vectors, strict=True)
    return [sum(a * x for a, x in zip(shares, column, strict=True)) / sum(shares) for column in columns]


def rotated(model, head, relation, tail):
    """``margin - sum |h e^(i theta) - t|``."""
    phases = [x * math.pi / model.scorer.init_range for x in relation]
    parts = zip(numbers(head), phases, numbers(tail), strict=True)
    return MARGIN - sum(abs(h * cmath.exp(1j * phase) - t) for h, phase, t in parts)


def fake_scores(model, fakes):
    """``[fake head, fake tail, both]`` of every level and positive."""
    for level in range(len(fakes.views["structure"])):
        for row in range(len(fakes.positives.relation)):
            views = [[view[level, side, row].tolist() for view in fakes.views.values()] for side in (0, 1)]
            fake_tail, fake_head = (fused(model, vectors) for vectors in views)
            head, tail = fakes.positives.head.joint[row].tolist(), fakes.positives.tail.joint[row].tolist()
            relation = fakes.positives.relation[row].tolist()
            ends = (fake_head, tail), (head, fake_tail), (fake_head, fake_tail)
            yield [rotated(model, h, relation, t) for h, t in ends]


def log_sigmoid(x):
    return -math.log1p(math.exp(-x))


def test_the_generator_loses_when_its_three_fakes_score_low(make, model, positives):
    adversary = make(rows=7)
    fakes = generated(adversary, positives)
    expected = [-log_sigmoid(score) for scores in fake_scores(model, fakes) for score in scores]
    assert len(expected) == 3 * 7 * len(LEVELS)
    found = adversary.loss(positives, stream(0, "generation"))
    assert found.item() == pytest.approx(sum(expected) / len(expected))


def test_the_model_loses_when_they_score_high(make, model, positives):
    """A third of the authors' sum over kinds of the loss on one positive and one fake, halved as all their losses."""
    adversary = make(levels=LEVELS[:1])
    fakes = generated(adversary, positives)
    loss = instantiate(composed("generator=adversarial").generator.loss)
    scores = loss.score(fakes, model.encoder, model.scorer)
    head, tail = positives.head.joint, positives.tail.joint
    positive = model.scorer(head, positives.relation, tail)
    expected = 0.0
    for true, kinds in zip(positive.tolist(), fake_scores(model, fakes), strict=True):
        expected += sum(-0.5 * (log_sigmoid(true) + log_sigmoid(-fake)) for fake in kinds) / 3 / len(head)
    found = loss(positive, scores, adversary.levels, model.scorer)
    assert found.item() == pytest.approx(expected)


# --- that the generator learns ------------------------------------------------------------------------------------


def test_gradients_of_its_loss_do_not_reach_the_embeddings(make, model, positives):
    adversary = make()
    adversary.loss(positives, stream(0, "diffusion")).backward()
    assert all(p.grad is not None and p.grad.any() for p in adversary.parameters())
    assert model.encoder.structure.grad is None
    assert model.relations.grad is None


def test_trained_alone_it_raises_the_scores_of_its_fakes(make, model, positives):
    adversary = make(hidden_width=32)

    def mean_score():
        scores = [score for scores in fake_scores(model, generated(adversary, positives)) for score in scores]
        return sum(scores) / len(scores)

    before, optimizer = mean_score(), torch.optim.Adam(adversary.parameters(), lr=1e-2)
    for counter in range(60):
        optimizer.zero_grad()
        adversary.loss(positives, stream(0, "diffusion", counter)).backward()
        optimizer.step()
    assert mean_score() > before + 0.5
