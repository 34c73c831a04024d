"""DiffHEG: what it learns from, where its chains go and are tapped; and the Gaussian control."""

from functools import partial

import pytest
import torch

from builders import embedded, small_model
from dhns.encoders.encoder import Encoded
from dhns.errors import InputError
from dhns.generators.diffheg.denoiser import Denoiser
from dhns.generators.diffheg.folded_denoiser import FoldedDenoiser
from dhns.generators.diffheg.schedule import NoiseSchedule
from dhns.generators.diffheg.settings import diffheg
from dhns.generators.gaussian import GaussianNegatives
from dhns.generators.levels import HardnessLevel
from dhns.kernels import int8
from dhns.models.batch import EmbeddedPositives
from dhns.randomness import stream
from dhns.scorers.distmult import DistMult
from dhns.scorers.rotate import RotatE

STEPS = 20
LEVELS = tuple(HardnessLevel(time) for time in (0.1, 0.25, 0.5))  # steps 2, 5, 10


@pytest.fixture
def model(toy_graph):
    return small_model(toy_graph, RotatE(3), torch.float32)


@pytest.fixture
def positives(model, toy_graph):
    return embedded(model, toy_graph.train)


@pytest.fixture
def make(model, monkeypatch):
    """Makes a small DiffHEG that keeps a record of its denoiser's calls: noisy, step, condition, output."""
    generators, conditions = [], {}

    class Recorder(FoldedDenoiser):
        def share(self, condition, identity):
            share = super().share(condition, identity)
            conditions[share] = condition
            return share

        def __call__(self, noisy, moments, share):
            output = super().__call__(noisy, moments, share)
            call = (noisy, moments.step, conditions[share], output)
            generators[-1].calls.append(tuple(tensor.detach() for tensor in call))
            return output

    monkeypatch.setattr("dhns.generators.diffheg.generator.FoldedDenoiser", Recorder)

    def build(denoiser=None, **options):
        torch.manual_seed(1)
        generator = diffheg(
            model.encoder,
            model.scorer,
            options.pop("levels", LEVELS),
            NoiseSchedule("cosine", STEPS),
            partial(Denoiser, hidden_factor=2.0, **(denoiser or {})),
            **options,
        )
        generator.calls = []
        generators.append(generator)
        return generator

    return build


def true_entities(positives, views):
    """``(V, 2, B, D)``: tails, then heads."""
    return torch.stack([torch.stack([positives.tail.views[v], positives.head.views[v]]) for v in views])


# --- what it learns from ------------------------------------------------------------------------------------------


def test_conditions_are_of_the_observed_entity_of_each_view_and_side(make, model, positives):
    generator = make()
    found = generator.condition(positives)
    for v, view in enumerate(generator.view_names):
        for row in range(len(positives.relation)):
            relation = positives.relation[row]
            head, tail = positives.head.views[view][row], positives.tail.views[view][row]
            torch.testing.assert_close(found[v, 0, row], model.scorer.query(head, relation))
            torch.testing.assert_close(found[v, 1, row], model.scorer.query(tail, -relation))


@pytest.mark.parametrize("loss_kind", ["mse", "l1"])
@pytest.mark.parametrize("prediction", ["noise", "velocity"])
def test_loss_is_the_error_on_present_rows(make, positives, loss_kind, prediction):
    generator = make(loss_kind=loss_kind, prediction=prediction)
    loss = generator.loss(positives, stream(0, "diffusion"))
    ((noisy, step, _, predicted),) = generator.calls
    clean = true_entities(positives, generator.view_names)
    signal, deviation = generator.schedule.signal(step), generator.schedule.noise(step)
    noise = (noisy - signal * clean) / deviation
    target = noise if prediction == "noise" else signal * noise - deviation * clean
    error = (predicted - target).square() if loss_kind == "mse" else (predicted - target).abs()
    expected = 0.0
    for v, view in enumerate(generator.view_names):
        present = positives.head.present[view] & positives.tail.present[view]
        expected += sum(error[v, side, present].mean() for side in (0, 1))
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=0)
    assert noise.std().item() == pytest.approx(1, abs=0.1)


def test_every_step_of_the_chain_is_learned(make, positives):
    generator = make()
    for counter in range(30):
        generator.loss(positives, stream(0, "diffusion", counter))
    drawn = torch.cat([step.flatten() for _, step, _, _ in generator.calls])
    assert drawn.unique().tolist() == list(range(1, STEPS + 1))


@pytest.mark.parametrize("shared", [False, True])
def test_noise_and_step_of_the_two_sides(make, positives, shared):
    generator = make(shared_noise=shared)
    generator.loss(positives, stream(0, "diffusion"))
    ((noisy, step, _, _),) = generator.calls
    noise = noisy - generator.schedule.signal(step) * true_entities(positives, generator.view_names)
    assert torch.equal(step[:, 0], step[:, 1]) == shared
    assert torch.allclose(noise[:, 0], noise[:, 1], atol=1e-6) == shared
    assert not torch.equal(step[0], step[1]), "views draw their own steps"


@pytest.mark.parametrize("detach", [False, True])
def test_gradient_of_the_diffusion_loss(make, model, positives, detach):
    generator = make(detach_inputs=detach)
    generator.loss(positives, stream(0, "diffusion")).backward()
    assert all(p.grad is not None for p in generator.parameters())
    reached = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert bool(reached) != detach
    assert detach or {"relations", "encoder.structure", "encoder.projections.visual.weight"} <= reached


@pytest.mark.parametrize("standardize", [False, True])
def test_the_denoiser_sees_standardised_embeddings(make, positives, standardize):
    generator = make(standardize=standardize)
    generator.loss(positives, stream(0, "diffusion"))
    ((noisy, step, seen, _),) = generator.calls
    clean, condition = true_entities(positives, generator.view_names), generator.condition(positives)
    if standardize:
        for v, view in enumerate(generator.view_names):
            present = (positives.head.present[view] & positives.tail.present[view]).repeat(2)
            for value in (clean, condition):
                rows = value[v].flatten(0, 1)[present]
                value[v] = (value[v] - rows.mean(0)) / rows.std(0, correction=0)
    torch.testing.assert_close(seen, condition, rtol=1e-4, atol=1e-4)
    noise = (noisy - generator.schedule.signal(step) * clean) / generator.schedule.noise(step)
    assert noise.std().item() == pytest.approx(1, abs=0.1)


def test_structure_alone(make, positives):
    generator = make(multimodal=False)
    assert generator.view_names == ("structure",)
    assert set(generator.generate(positives, stream(0, "generation")).views) == {"structure"}


# --- where its chains go ------------------------------------------------------------------------------------------


def test_own_chains_take_ddpm_steps_and_are_tapped_at_the_levels(make, positives):
    generator = make()
    samples = generator.sample(positives, stream(0, "generation"))
    assert [int(step) for _, step, _, _ in generator.calls] == list(range(STEPS, 2, -1))
    states = {int(step): noisy for noisy, step, _, _ in generator.calls}
    assert states[STEPS].shape == (3, 2, len(positives.relation), 6)
    assert states[STEPS].std().item() == pytest.approx(1, abs=0.1)
    assert samples.shape == (3, 3, *states[STEPS].shape[1:])
    assert torch.equal(samples[:, 1], states[5])
    assert torch.equal(samples[:, 2], states[10])
    states[2] = samples[:, 0]
    # the state below each one is within five deviations of the DDPM mean of the predicted noise
    for noisy, step, _, output in generator.calls:
        mean = generator.schedule.ancestral(noisy, step, output, torch.zeros_like(noisy))
        beta = 1 - generator.schedule.alpha_bars[step] / generator.schedule.alpha_bars[step - 1]
        drawn = (states[int(step) - 1] - mean) / beta.sqrt()
        assert drawn.abs().max() < 5
        assert drawn.std().item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("prediction", "sampling_steps"), [("noise", 4), ("velocity", 4), ("velocity", None)])
def test_strided_chains_take_ddim_steps(make, positives, prediction, sampling_steps):
    generator = make(prediction=prediction, sampling_steps=sampling_steps, eta=0.0)
    samples = generator.sample(positives, stream(0, "generation"))
    times = [int(step) for _, step, _, _ in generator.calls]
    assert times == ([20, 16, 11, 10, 6, 5] if sampling_steps else list(range(20, 2, -1)))
    following = [*(noisy for noisy, _, _, _ in generator.calls[1:]), samples[:, 0]]
    alpha_bar = generator.schedule.alpha_bars
    for (noisy, now, _, output), then, found in zip(generator.calls, [*times[1:], 2], following, strict=True):
        signal, deviation = alpha_bar[now].sqrt(), (1 - alpha_bar[now]).sqrt()
        epsilon = output if prediction == "noise" else deviation * noisy + signal * output
        clean = (noisy - deviation * epsilon) / signal
        expected = alpha_bar[then].sqrt() * clean + (1 - alpha_bar[then]).sqrt() * epsilon
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_strides_need_no_noise_unless_eta(make, positives):
    first, second = (make(sampling_steps=4, eta=eta).sample(positives, stream(0, "generation")) for eta in (0.0, 1.0))
    assert not torch.equal(first, second)


def test_head_chain_from_the_tail(make, positives):
    """At a tapped x_k the head is one more step from the tail's x_k, with the tail's time k + 1; it is not fed back."""
    generator = make(head_chain="from_tail")
    samples = generator.sample(positives, stream(0, "generation"))
    condition = generator.condition(positives)
    tails = [call for call in generator.calls if torch.equal(call[2], condition[:, :1])]
    heads = [call for call in generator.calls if torch.equal(call[2], condition[:, 1:])]
    assert len(tails) + len(heads) == len(generator.calls)
    assert [int(step) for _, step, _, _ in tails] == list(range(STEPS, 2, -1))
    assert [int(step) for _, step, _, _ in heads] == [11, 6, 3]
    by_step = {int(step): noisy for noisy, step, _, _ in tails}
    for (noisy, step, _, output), position in zip(heads, (2, 1, 0), strict=True):
        torch.testing.assert_close(noisy, samples[:, position, :1])
        if int(step) - 1 in by_step:
            torch.testing.assert_close(by_step[int(step) - 1], samples[:, position, :1])
        mean = generator.schedule.ancestral(noisy, step, output, torch.zeros_like(noisy))
        beta = 1 - generator.schedule.alpha_bars[step] / generator.schedule.alpha_bars[step - 1]
        drawn = (samples[:, position, 1:] - mean) / beta.sqrt()
        assert drawn.abs().max() < 5
        assert drawn.std().item() == pytest.approx(1, abs=0.15)


def test_head_chain_from_the_tail_has_no_strides(make):
    with pytest.raises(InputError, match="set sampling_steps=null"):
        make(head_chain="from_tail", sampling_steps=4)


def test_samples_are_restored_to_the_scale_of_the_embeddings(make, positives):
    generator = make(standardize=True)
    generator.loss(positives, stream(0, "diffusion"))
    generator.calls.clear()
    samples = generator.sample(positives, stream(0, "generation"))
    state, seen = next((noisy, condition) for noisy, step, condition, _ in generator.calls if int(step) == 5)
    torch.testing.assert_close(seen, generator.conditions.standardize(generator.condition(positives)))
    deviation, mean = (part[:, None, None] for part in (generator.latents.deviation, generator.latents.mean))
    torch.testing.assert_close(samples[:, 1], state * deviation + mean)


def test_copies_are_chains_of_their_own(make, positives):
    generator = make(copies=2)
    assert generator.levels == LEVELS * 2
    samples = generator.sample(positives, stream(0, "generation"))
    assert samples.shape[1] == 6
    assert len(generator.calls) == 2 * 18
    first, second = (noisy for noisy, step, _, _ in generator.calls if int(step) == 5)
    assert torch.equal(samples[:, 1], first)
    assert torch.equal(samples[:, 3 + 1], second)
    assert not torch.equal(first, second)


def test_shuffled_conditions_are_those_of_other_positives(make, positives):
    generator = make(condition_on="shuffled")
    generator.sample(positives, stream(0, "generation"))
    own = generator.condition(positives)
    used = generator.calls[0][2]
    assert not torch.equal(used, own)
    order = [int((own[0, 0] - row).abs().sum(1).argmin()) for row in used[0, 0]]
    assert sorted(order) == list(range(len(order)))
    assert torch.equal(used, own[:, :, order])


# --- what it hands over -------------------------------------------------------------------------------------------


@pytest.fixture(params=["diffheg", "gaussian"])
def generator(request, make, model):
    if request.param == "diffheg":
        return make(rows=4)
    return GaussianNegatives(model.encoder, model.scorer, LEVELS, rows=4)


def test_generated_negatives_are_constants_for_the_first_rows(generator, positives):
    generated = generator.generate(positives, stream(0, "generation"))
    assert tuple(generated.views) == generator.view_names
    for view, value in generated.views.items():
        assert value.shape == (len(LEVELS), 2, 4, 6)
        assert not value.requires_grad
        both = positives.head.present[view][:4] & positives.tail.present[view][:4]
        assert torch.equal(generated.present[view], both)
    assert generated.positives.head.joint.requires_grad
    torch.testing.assert_close(generated.positives.tail.joint, positives.tail.joint[:4])
    torch.testing.assert_close(generated.positives.relation, positives.relation[:4])


def test_the_generator_learns_from_the_first_rows(make, positives):
    generator = make(rows=4)
    generator.loss(positives, stream(0, "diffusion"))
    assert generator.calls[0][0].shape[2] == 4


@pytest.mark.skipif(not int8.supported("cpu"), reason="this processor has no exact products of int8")
@pytest.mark.parametrize("denoiser", [{}, {"input_norm": True, "hidden_norm": True, "output_norm": False}])
def test_a_chain_in_int8_is_the_chain_up_to_rounding(make, positives, denoiser):
    exact, rounded = (make(denoiser, int8=on).sample(positives, stream(0, "generation")) for on in (False, True))
    assert not torch.equal(rounded, exact)
    assert (rounded - exact).norm() < 0.03 * exact.norm()


def test_gaussian_control_has_the_norm_of_the_true_entity(model, positives):
    generator = GaussianNegatives(model.encoder, model.scorer, LEVELS)
    samples = generator.sample(positives, stream(0, "generation"))
    expected = true_entities(positives, generator.view_names).norm(dim=-1)
    torch.testing.assert_close(samples.norm(dim=-1), expected[:, None].expand(-1, len(LEVELS), -1, -1))
    assert len(samples.flatten(0, -2).unique(dim=0)) == samples[..., 0].numel(), "every direction is drawn anew"


# --- that it learns -----------------------------------------------------------------------------------------------


@pytest.fixture
def world():
    """Heads, relations and tails of unit scale of which the tail is the product, so that the condition tells it all."""
    draw = torch.Generator().manual_seed(0)
    head, relation = torch.randn(64, 4, generator=draw), torch.randn(64, 4, generator=draw).sign()
    there = torch.ones(64, dtype=torch.bool)

    def encoded(vectors):
        return Encoded(vectors, {"structure": vectors}, {"structure": there})

    return EmbeddedPositives(encoded(head), relation, encoded(head * relation))


@pytest.mark.parametrize(
    "options",
    [
        {"prediction": "noise"},
        {"prediction": "velocity", "sampling_steps": 8},
        {"prediction": "noise", "standardize": True},
    ],
    ids=["noise", "velocity", "standardised"],
)
def test_it_learns_to_imitate_and_hardness_falls_with_time(world, options):
    class Width:
        view_names, width = ("structure",), 4

    torch.manual_seed(0)
    levels = [HardnessLevel(time) for time in (0.05, 0.3, 0.6, 1.0)]
    denoiser = partial(Denoiser, hidden_factor=16.0, output_norm=False, activation="silu")
    generator = diffheg(Width, DistMult(4), levels, NoiseSchedule("cosine", STEPS), denoiser, **options)
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    losses = []
    for counter in range(300):
        loss = generator.loss(world, stream(0, "diffusion", counter))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])
    samples = generator.generate(world, stream(0, "generation")).views["structure"]
    true = torch.stack([world.tail.joint, world.head.joint])
    distance = (samples - true).norm(dim=-1).mean((1, 2)).tolist()
    assert distance == sorted(distance)
    assert distance[0] < 0.4 * distance[-1]


# --- memory -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("detach", [False, True])
def test_parts_of_a_batch_have_the_loss_and_gradients_of_the_whole(make, model, positives, detach, monkeypatch):
    def loss_and_gradients():
        model.zero_grad()
        generator = make(detach_inputs=detach)
        loss = generator.loss(positives, stream(0, "diffusion"))
        loss.backward(retain_graph=True)  # the embedded positives are those of both calls
        parameters = [*generator.parameters(), *model.parameters()]
        return loss.item(), [p.grad.clone() for p in parameters if p.grad is not None], len(generator.calls)

    whole, gradients, calls = loss_and_gradients()
    monkeypatch.setattr(
        "dhns.generators.diffheg.generator.CHUNK_ELEMENTS", 6 * 12 * 5
    )  # six sides of views, five positives
    parts, same, more_calls = loss_and_gradients()
    assert calls == 1 < more_calls
    assert parts == pytest.approx(whole, rel=1e-6)
    assert len(same) == len(gradients)
    for found, expected in zip(same, gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_parts_of_a_batch_have_chains_of_their_own(make, positives, monkeypatch):
    monkeypatch.setattr("dhns.generators.diffheg.generator.CHUNK_ELEMENTS", 6 * 12 * 5)
    generator = make()
    samples = generator.sample(positives, stream(0, "generation"))
    assert samples.shape[3] == len(positives.relation)
    assert {noisy.shape[2] for noisy, _, _, _ in generator.calls} == {5, len(positives.relation) % 5}
    tapped = torch.cat([noisy for noisy, step, _, _ in generator.calls if int(step) == 5], dim=2)
    assert torch.equal(samples[:, 1], tapped)
