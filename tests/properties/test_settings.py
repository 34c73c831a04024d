"""Any combination of settings makes a module or is refused; hashes and fingerprints are of content alone."""

import dataclasses
import json

import torch
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dhns.config.identity import IGNORED, config_hash
from dhns.config.resolvers import register_resolvers
from dhns.errors import InputError
from dhns.graph.fingerprint import fingerprint
from dhns.graph.splits import split_keeping_support
from dhns.resources import conf_dir
from dhns.training.build import build_module
from dhns.training.check import check_settings
from properties.counting import counted

few = settings(
    deadline=None,
    max_examples=max(10, settings().max_examples // 5),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
quick = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

GROUPS = {
    group: sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))
    for group in ("model", "scorer", "encoder", "negatives", "loss", "regularizer", "generator", "ablation", "protocol")
}
CHOICES = st.fixed_dictionaries({}, optional={group: st.sampled_from(names) for group, names in GROUPS.items()})
NUMBERS = st.fixed_dictionaries(
    {},
    optional={
        "scorer.dim": st.sampled_from([-4, 0, 1, 3, 8, "x", "null", 2.5]),
        "negatives.num_negatives": st.sampled_from([-1, 0, 1, 7, "x"]),
        "loss.temperature": st.sampled_from([-1, 0, 0.5, "x", "null"]),
        "data.batch_size": st.sampled_from([-1, 0, 1, 8, "x"]),
        "optimization.optimizer.lr": st.sampled_from([-1, 0, 0.1, "x"]),
        "optimization.clip_norm": st.sampled_from([-1, 0, 1, "null", "x"]),
        "seed": st.sampled_from([-1, 0, 2**63, "x"]),
    },
)


def composed(*overrides):
    register_resolvers()
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        return compose("train", overrides=list(overrides))


@few
@given(choices=CHOICES, numbers=NUMBERS)
@counted("combinations of settings")
def test_settings_make_a_module_or_are_refused(toy_graph, choices, numbers):
    overrides = [f"{key}={value}" for key, value in ({"scorer.dim": 8} | choices | numbers).items()]
    try:
        config = composed(*overrides)
        check_settings(config)
        module = build_module(OmegaConf.to_container(config, resolve=False), toy_graph)
    except (InputError, HydraException, OmegaConfBaseException):
        return
    assert config_hash(config) == config_hash(OmegaConf.create(OmegaConf.to_container(config, resolve=False)))
    assert any(parameter.requires_grad for parameter in module.parameters())


# --- hashes --------------------------------------------------------------------------------------------------------

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(-1, 1)
    | st.text(st.characters(codec="ascii", exclude_characters="$?"), max_size=4)
)
GROUP = st.dictionaries(st.sampled_from("abc"), LEAVES | st.lists(LEAVES, max_size=2), max_size=3)
TREES = st.fixed_dictionaries(
    {}, optional={"scorer": GROUP, "encoder": GROUP, "loss": GROUP, "new": LEAVES, "newer": LEAVES | GROUP}
)


def shuffled(tree, order):
    if not isinstance(tree, dict):
        return tree
    keys = sorted(tree)
    order.shuffle(keys)
    return {key: shuffled(tree[key], order) for key in keys}


@quick
@given(tree=TREES, order=st.randoms(), seed=st.integers())
@counted("settings, hashed")
def test_hash_is_of_content_not_of_order_or_storage(tree, order, seed):
    expected = config_hash(OmegaConf.create(tree))
    assert config_hash(OmegaConf.create(shuffled(tree, order))) == expected
    assert config_hash(OmegaConf.create(json.loads(json.dumps(tree)))) == expected
    assert config_hash(OmegaConf.create(tree | dict.fromkeys(IGNORED - {"content", "paths"}, seed))) == expected


@quick
@given(first=TREES, second=TREES)
@counted("pairs of settings, hashed")
def test_other_settings_have_other_hashes(first, second):
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (config_hash(OmegaConf.create(first)) == config_hash(OmegaConf.create(second))) == same


@quick
@given(data=st.data())
@counted("graphs with one number changed, fingerprinted")
def test_fingerprints_tell_which_part_has_changed(toy_graph, data):
    split = data.draw(st.sampled_from(["train", "valid", "test"]))
    triples = toy_graph.split(split).clone()
    row, column = data.draw(st.integers(0, len(triples) - 1)), data.draw(st.integers(0, 2))
    triples[row, column] += data.draw(st.sampled_from([-1, 1]))
    before, after = fingerprint(toy_graph), fingerprint(dataclasses.replace(toy_graph, **{split: triples}))
    assert {key for key in before if before[key] != after[key]} == {split}


# --- splits --------------------------------------------------------------------------------------------------------

ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2), st.integers(0, 6)), max_size=40, unique=True)


@quick
@given(rows=ROWS, fractions=st.lists(st.floats(-0.1, 1.1), min_size=1, max_size=3), seed=st.integers(0, 2**32))
@counted("splits of small graphs")
def test_splits_part_the_triples_or_are_refused(rows, fractions, seed):
    triples = torch.tensor(rows, dtype=torch.int64).reshape(-1, 3)
    try:
        train, *held_out = split_keeping_support(triples, fractions, seed)
    except InputError:
        return
    parts = [train, *held_out]
    assert sorted(map(tuple, torch.cat(parts).tolist())) == sorted(rows)
    names = {name for head, relation, tail in train.tolist() for name in ((head,), (tail,), ("relation", relation))}
    assert {name for head, relation, tail in rows for name in ((head,), (tail,), ("relation", relation))} <= names
    again = split_keeping_support(triples, fractions, seed)
    assert all(torch.equal(*pair) for pair in zip(parts, again, strict=True))
    assert all(len(part) <= round(share * len(rows)) for part, share in zip(held_out, fractions, strict=True))
