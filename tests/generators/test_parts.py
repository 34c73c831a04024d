"""Denoiser, standardiser, hardness levels and chain times."""

import math

import pytest
import torch

from dhns.errors import InputError
from dhns.generators.diffheg.chain import Chain
from dhns.generators.diffheg.denoiser import Denoiser, time_embedding
from dhns.generators.diffheg.folded_denoiser import FoldedDenoiser
from dhns.generators.diffheg.standardizer import RunningStandardizer
from dhns.generators.levels import HardnessLevel

WIDTH, VIEWS, ROWS = 6, 3, 5
DENOISERS = {
    "paper": {},
    "reference": {
        "input_norm": True,
        "hidden_norm": True,
        "output_norm": False,
        "output_layers": 2,
        "time_base": 10000.0,
        "time_mlp": True,
    },
    "identity": {"identity": True, "output_norm": False, "activation": "silu", "hidden_factor": 1.5},
}


@pytest.mark.parametrize("endpoint", [False, True])
def test_time_embedding_is_the_formula(endpoint):
    embedding = time_embedding(torch.tensor([0, 7]), WIDTH, 1000.0, endpoint)
    frequencies = [1000.0 ** -(k / (WIDTH / 2 - endpoint)) for k in range(WIDTH // 2)]
    expected = [[math.sin(t * f) for f in frequencies] + [math.cos(t * f) for f in frequencies] for t in (0, 7)]
    torch.testing.assert_close(embedding, torch.tensor(expected))


@pytest.fixture(params=DENOISERS.values(), ids=DENOISERS.keys())
def options(request):
    return request.param


@pytest.fixture
def denoiser(options):
    torch.manual_seed(0)
    return Denoiser(WIDTH, VIEWS, **options)


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(1)
    noisy, condition = (torch.randn(VIEWS, 2, ROWS, WIDTH, generator=generator) for _ in range(2))
    step = torch.randint(1, 51, (VIEWS, 2, ROWS), generator=generator)
    return noisy, step, condition, torch.arange(2 * VIEWS).view(VIEWS, 2, 1)


def concatenated(denoiser, options, noisy, step, condition, identity):
    """Eq. 10: an MLP on the concatenation of noisy embedding, time and condition."""
    time = time_embedding(step, WIDTH, options.get("time_base", 1000.0), options.get("time_mlp", False))
    joint = torch.cat([noisy, denoiser.time_mlp(time), condition], dim=-1)
    if options.get("input_norm"):
        joint = denoiser.input_norm(joint)
    hidden = denoiser.input(joint)
    if options.get("identity"):
        hidden = hidden + denoiser.identity.weight[identity]
    return denoiser.output(hidden)


def test_denoiser_is_the_formula(denoiser, options, inputs):
    torch.testing.assert_close(denoiser(*inputs), concatenated(denoiser, options, *inputs))


def test_one_step_for_all_rows(denoiser, inputs):
    noisy, step, condition, identity = inputs
    alone = denoiser(noisy, torch.tensor(9), condition, identity)
    torch.testing.assert_close(alone, denoiser(noisy, torch.full_like(step, 9), condition, identity))


def test_every_parameter_of_a_denoiser_is_used(denoiser, inputs):
    denoiser(*inputs).square().sum().backward()
    assert [name for name, p in denoiser.named_parameters() if p.grad is None] == []


@pytest.fixture
def trained(denoiser):
    """With gains, offsets and biases as training would leave them, not ones and zeros."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return denoiser


@pytest.mark.parametrize("step", [1, 20, 50])
def test_a_split_denoiser_is_the_denoiser(trained, inputs, step):
    noisy, _, condition, identity = inputs
    split = FoldedDenoiser(trained)
    found = split(noisy, split.at(torch.tensor(step)), split.share(condition, identity))
    torch.testing.assert_close(found, trained(noisy, torch.tensor(step), condition, identity), rtol=1e-4, atol=1e-5)


def test_a_split_denoiser_learns_as_the_denoiser_does(trained, inputs):
    noisy, step, condition, identity = inputs
    noisy, condition = (tensor.clone().requires_grad_() for tensor in (noisy, condition))
    learning = [noisy, condition, *trained.parameters()]
    expected = torch.autograd.grad(trained(noisy, step, condition, identity).square().sum(), learning)
    split = FoldedDenoiser(trained)
    output = split(
        noisy, split.among(step.expand(noisy.shape[:-1]), torch.arange(51)), split.share(condition, identity)
    )
    found = torch.autograd.grad(output.square().sum(), learning)
    for value, exact in zip(found, expected, strict=True):
        torch.testing.assert_close(value, exact, rtol=1e-3, atol=1e-4)


def test_a_split_denoiser_rounds_as_autocast_does(trained, inputs):
    noisy, _, condition, identity = inputs
    with torch.autocast("cpu", torch.bfloat16):
        split = FoldedDenoiser(trained)
        found = split(noisy, split.at(torch.tensor(7)), split.share(condition, identity))
    assert split.dtype == torch.bfloat16
    assert found.dtype == torch.float32
    exact = trained(noisy, torch.tensor(7), condition, identity)
    assert (found - exact).abs().max() < 0.05 * exact.abs().max()
    assert (found - exact).abs().max() > 0


def test_layers_are_those_that_are_asked_for():
    kinds = {name: [type(layer).__name__ for layer in Denoiser(WIDTH, 1, **o).output] for name, o in DENOISERS.items()}
    assert kinds == {
        "paper": ["ReLU", "Identity", "Linear", "LayerNorm"],
        "reference": ["ReLU", "LayerNorm", "Linear", "Linear", "Identity"],
        "identity": ["SiLU", "Identity", "Linear", "Identity"],
    }


def test_reference_denoiser_has_the_size_of_the_published_one():
    # 19 D^2 weights by the audit: 12 + 4 + 1 of the MLP and 2 of the time; biases and norms are linear in D
    width = 64
    count = sum(p.numel() for p in Denoiser(width, 1, **DENOISERS["reference"]).parameters() if p.ndim == 2)
    assert count == 19 * width**2


@pytest.mark.parametrize(
    ("options", "message"),
    [({"width": 5}, "odd width 5 .*make scorer.dim even"), ({"input_norm": True, "identity": True}, "input_norm")],
)
def test_impossible_denoisers_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Denoiser(**{"width": WIDTH, "views": 1, **options})


@pytest.fixture
def batches():
    """Two views in three batches; the second view lacks some rows, and the masked rows are wild."""
    generator = torch.Generator().manual_seed(2)
    values = 0.02 * torch.randn(3, 2, 40, WIDTH, generator=generator) + 3
    present = torch.stack([torch.ones(3, 40, dtype=torch.bool), torch.rand(3, 40, generator=generator) < 0.5], dim=1)
    return values.masked_fill(~present[..., None], 1e4), present


def test_first_batch_sets_the_statistics(batches):
    values, present = (part[0] for part in batches)
    standardizer = RunningStandardizer(2, WIDTH)
    standardizer.update(values, present)
    for view in range(2):
        rows = values[view][present[view]]
        torch.testing.assert_close(standardizer.mean[view], rows.mean(0))
        # sums of squares of 3 in float32 leave four digits of a deviation of 0.02
        torch.testing.assert_close(standardizer.deviation[view], rows.std(0, correction=0), rtol=1e-3, atol=1e-6)


def test_later_batches_move_the_statistics_by_the_momentum(batches):
    standardizer, expected = RunningStandardizer(2, WIDTH, momentum=0.25), None
    for values, present in zip(*batches, strict=True):
        standardizer.update(values, present)
        mean = torch.stack([values[view][present[view]].mean(0) for view in range(2)])
        expected = mean if expected is None else 0.75 * expected + 0.25 * mean
    torch.testing.assert_close(standardizer.mean, expected)


def test_standardised_embeddings_have_unit_variance_and_go_back(batches):
    values, present = batches[0][0], torch.ones(2, 40, dtype=torch.bool)
    values = values[:1].expand(2, -1, -1)
    standardizer = RunningStandardizer(2, WIDTH)
    standardizer.update(values, present)
    stacked = values[:, None, None].expand(2, 3, 4, 40, WIDTH)
    standard = standardizer.standardize(stacked)
    torch.testing.assert_close(standard[0, 0, 0].std(0, correction=0), torch.ones(WIDTH), rtol=1e-3, atol=0)
    torch.testing.assert_close(standard[0, 0, 0].mean(0), torch.zeros(WIDTH), rtol=0, atol=1e-3)
    torch.testing.assert_close(standardizer.restore(standard), stacked)


@pytest.mark.parametrize("rows", [0, 1])
def test_batches_without_enough_of_a_view_leave_it_alone(batches, rows):
    values, present = (part[0] for part in batches)
    few = present.clone()
    few[1] = torch.arange(40) < rows
    standardizer = RunningStandardizer(2, WIDTH)
    standardizer.update(values, few)
    assert torch.equal(standardizer.deviation[1], torch.ones(WIDTH))
    standardizer.update(values, present)  # the first batch that has the view sets it, as if it were the first of all
    torch.testing.assert_close(standardizer.mean[1], values[1][present[1]].mean(0))
    before = standardizer.mean[1].clone(), standardizer.deviation[1].clone()
    standardizer.update(values, few)
    assert torch.equal(standardizer.mean[1], before[0])
    assert torch.equal(standardizer.deviation[1], before[1])


def test_disabled_standardiser_is_the_identity(batches):
    values, present = (part[0] for part in batches)
    standardizer = RunningStandardizer(2, WIDTH, enabled=False)
    standardizer.update(values, present)
    assert standardizer.standardize(values) is values
    assert standardizer.restore(values) is values
    assert not standardizer.started.any()


def test_statistics_are_stored():
    assert set(RunningStandardizer(2, WIDTH).state_dict()) == {"mean", "deviation", "started"}


@pytest.mark.parametrize(
    ("time", "steps", "step"),
    [
        (0.05, 50, 2),
        (0.05, 20, 1),
        (0.05, 10, 1),
        (0.1, 50, 5),
        (0.125, 50, 6),
        (0.25, 50, 12),
        (0.5, 50, 25),
        (0.1, 70, 7),
        (0.05, 70, 3),
        (0.2, 100, 20),
        (0.29, 100, 29),
        (1.0, 50, 50),
        (0.0, 50, 0),
    ],
)
def test_step_of_a_level(time, steps, step):
    assert HardnessLevel(time).step(steps) == step


@pytest.mark.parametrize("time", [-0.1, 1.5])
def test_levels_outside_the_chain_are_refused(time):
    with pytest.raises(InputError, match="use 0 <= time <= 1"):
        HardnessLevel(time)


@pytest.mark.parametrize(
    ("steps", "taps", "sampling_steps", "times"),
    [
        (5, {2, 4}, None, [5, 4, 3, 2]),
        (5, {0}, None, [5, 4, 3, 2, 1, 0]),
        (50, {2, 5, 25}, 4, [50, 38, 26, 25, 14, 5, 2]),
        (50, {10}, 2, [50, 30, 10]),
        (50, {0}, 5, [50, 40, 30, 20, 10, 0]),
        (50, {20}, 1, [50, 20]),
        (4, {1}, 100, [4, 3, 2, 1]),
        (50, {50}, None, [50]),
        (50, {50}, 8, [50]),
    ],
)
def test_times_of_a_chain(steps, taps, sampling_steps, times):
    assert Chain(sampling_steps).times(steps, taps) == times
