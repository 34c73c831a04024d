"""Seeds and streams by purpose."""

import torch

from dhns.randomness import derive_seed, seed_default, stream


def test_seed_is_the_same_on_every_machine():
    # the first 63 bits of the SHA-256 of "7/negatives/3/0", worked out with sha256sum
    assert derive_seed(7, "negatives", 3, 0) == 2962829415790434664


def test_seeds_differ_by_every_part():
    parts = [(0, "a"), (1, "a"), (0, "b"), (0, "a", 0), (0, "a", 1), (0, "a", 0, 0), (0, "a", 0, 1), (0, "a", 1, 0)]
    seeds = [derive_seed(*part) for part in parts]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_stream_is_a_function_of_its_name():
    assert torch.equal(torch.randn(5, generator=stream(0, "a", 1)), torch.randn(5, generator=stream(0, "a", 1)))


def test_streams_do_not_share_state():
    alone = torch.randn(5, generator=stream(0, "a"))
    other, mine = stream(0, "b"), stream(0, "a")
    assert not torch.equal(torch.randn(5, generator=other), alone)
    assert torch.equal(torch.randn(5, generator=mine), alone)


def test_the_default_generator_draws_as_after_a_seed_of_all_devices():
    torch.manual_seed(5)
    expected = torch.randn(5)
    seed_default(5, torch.device("cpu"))
    assert torch.equal(torch.randn(5), expected)
