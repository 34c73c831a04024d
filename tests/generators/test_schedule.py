"""Schedules and steps against the closed forms of Ho et al. (2020) and Song et al. (2021), computed in float64."""

import math

import pytest
import torch

from dhns.generators.diffheg.schedule import NoiseSchedule, variances

STEPS = (20, 50, 70, 100)
KINDS = ("linear", "linear_scaled", "cosine")
WIDTH = 6


def betas(kind, steps):
    """beta_1 .. beta_T by the formulas of the papers, as a list that starts at index 1."""
    if kind == "cosine":
        signal = [math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(steps + 1)]
        return [None, *(min(0.999, 1 - signal[t] / signal[t - 1]) for t in range(1, steps + 1))]
    scale = 1 if kind == "linear" else 1000 / steps
    return [None, *(min(0.999, scale * (1e-4 + (0.02 - 1e-4) * t / (steps - 1))) for t in range(steps))]


def cumulative(beta):
    """alpha_bar_0 .. alpha_bar_T."""
    kept = [1.0]
    for value in beta[1:]:
        kept.append(kept[-1] * (1 - value))
    return kept


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def schedule(kind):
    return NoiseSchedule(kind, 50)


@pytest.fixture
def normal():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, WIDTH, generator=generator)


def close(found, expected):
    # alpha_bar is kept in float32: 1 - alpha_bar_1 of about 1e-4 has three digits, which move a state by 1e-6
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", STEPS)
def test_share_of_signal(kind, steps):
    expected = cumulative(betas(kind, steps))
    close(NoiseSchedule(kind, steps).alpha_bars, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(("steps", "kept"), [(20, 0.817), (50, 0.603), (70, 0.492), (100, 0.364), (1000, 0.00004)])
def test_the_linear_schedule_of_the_code_does_not_reach_noise(steps, kept):
    digits = 3 if kept > 0.001 else 5
    assert round(NoiseSchedule("linear", steps).alpha_bars[-1].item(), digits) == kept


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("kind", ["linear_scaled", "cosine"])
def test_the_other_schedules_reach_noise(kind, steps):
    alpha_bar = NoiseSchedule(kind, steps).alpha_bars
    assert alpha_bar[-1] < 0.01
    assert (alpha_bar.diff() < 0).all()


def test_unknown_kind_is_named():
    with pytest.raises(ValueError, match="'quadratic' is unknown"):
        variances("quadratic", 50)


def test_noising_is_eq_2(schedule, kind, normal):
    clean, epsilon = normal(50), normal(50)
    kept = torch.tensor(cumulative(betas(kind, 50))[1:], dtype=torch.float64)[:, None]
    close(schedule.add_noise(clean, torch.arange(1, 51), epsilon), kept.sqrt() * clean + (1 - kept).sqrt() * epsilon)


def test_step_zero_is_clean(schedule, normal):
    clean, epsilon = normal(3), normal(3)
    assert torch.equal(schedule.add_noise(clean, torch.zeros(3, dtype=torch.int64), epsilon), clean)


def test_clean_undoes_add_noise(schedule, normal):
    step = torch.arange(1, 50)  # at T a cosine schedule keeps too little of the signal for float32
    clean, epsilon = normal(49), normal(49)
    noisy = schedule.add_noise(clean, step, epsilon)
    torch.testing.assert_close(schedule.clean(noisy, step, epsilon), clean, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("t", [1, 2, 25, 50])
def test_ancestral_step_is_the_ddpm_step(schedule, kind, normal, t):
    noisy, epsilon, fresh = normal(4), normal(4), normal(4)
    beta = betas(kind, 50)
    kept = cumulative(beta)
    mean = (noisy.double() - beta[t] / math.sqrt(1 - kept[t]) * epsilon) / math.sqrt(1 - beta[t])
    noise = math.sqrt(beta[t]) if t > 1 else 0.0
    close(schedule.ancestral(noisy, torch.tensor(t), epsilon, fresh), mean + noise * fresh)


@pytest.mark.parametrize("t", [1, 2, 25, 50])
def test_reverse_by_one_step_is_the_ddpm_posterior(schedule, kind, normal, t):
    clean, epsilon, fresh = normal(4), normal(4), normal(4)
    step, target = torch.tensor(t), torch.tensor(t - 1)
    beta = betas(kind, 50)
    kept = cumulative(beta)
    noisy = math.sqrt(kept[t]) * clean.double() + math.sqrt(1 - kept[t]) * epsilon
    mean = (
        math.sqrt(kept[t - 1]) * beta[t] / (1 - kept[t]) * clean
        + math.sqrt(1 - beta[t]) * (1 - kept[t - 1]) / (1 - kept[t]) * noisy
    )
    deviation = math.sqrt((1 - kept[t - 1]) / (1 - kept[t]) * beta[t])
    close(schedule.reverse(noisy, step, target, clean, epsilon, fresh, 1.0), mean + deviation * fresh)


@pytest.mark.parametrize("target", [0, 3, 20, 39])
def test_without_eta_strides_are_deterministic_and_exact(schedule, normal, target):
    clean, epsilon = normal(4), normal(4)
    step, target = torch.tensor(40), torch.tensor(target)
    noisy = schedule.add_noise(clean, step, epsilon)
    first, second = (schedule.reverse(noisy, step, target, clean, epsilon, normal(4), 0.0) for _ in range(2))
    assert torch.equal(first, second)
    torch.testing.assert_close(first, schedule.add_noise(clean, target, epsilon))


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_strides_keep_the_variance_of_their_step(schedule, eta):
    """x_s of standard normal clean and noise has variance 1, whatever the stride: its parts add up in squares."""
    step, target, one, zero = torch.tensor(40), torch.tensor(10), torch.ones(1), torch.zeros(1)
    parts = [schedule.reverse(zero, step, target, *part, eta) for part in (
        (one, zero, zero), (zero, one, zero), (zero, zero, one))]  # fmt: skip
    torch.testing.assert_close(sum(part.square() for part in parts), one)


def test_eta_scales_the_noise_of_a_stride(schedule):
    step, target, one, zero = torch.tensor(40), torch.tensor(10), torch.ones(1), torch.zeros(1)
    full, half = (schedule.reverse(zero, step, target, zero, zero, one, eta) for eta in (1.0, 0.5))
    torch.testing.assert_close(half, 0.5 * full)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_the_right_epsilon_recovers_the_clean_embedding(schedule, normal, eta):
    clean, noisy = normal(4), normal(4)
    for t in range(49, 0, -1):
        step, target = torch.tensor(t), torch.tensor(t - 1)
        epsilon = (noisy - schedule.signal(step) * clean) / schedule.noise(step)
        noisy = schedule.reverse(noisy, step, target, clean, epsilon, normal(4), eta)
    torch.testing.assert_close(noisy, clean)


def test_velocity_gives_clean_and_noise_back(schedule, normal):
    clean, epsilon, step = normal(50), normal(50), torch.arange(1, 51)
    signal, noise = schedule.signal(step), schedule.noise(step)
    noisy, velocity = schedule.add_noise(clean, step, epsilon), signal * epsilon - noise * clean
    torch.testing.assert_close(signal * noisy - noise * velocity, clean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(noise * noisy + signal * velocity, epsilon, rtol=1e-4, atol=1e-5)
