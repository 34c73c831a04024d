"""Values that no training survives are refused by their setting, before anything is loaded."""

import re
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hydra.utils import get_object
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from builders import composed
from dhns import ranges
from dhns.config.known_keys import require_complete, require_known
from dhns.config.signatures import imported
from dhns.config.values import alternatives, check_leaves, check_value
from dhns.errors import InputError
from dhns.resources import conf_dir
from dhns.training.check import check_settings

REFUSED = {
    "seed=-1": "seed is -1; at least 0",
    "seed=9223372036854775808": "below 9223372036854775808",
    "data.batch_size=-4": "data.batch_size is -4; at least 1",
    "data.valid_triples=0": "data.valid_triples is 0; at least 1",
    "budgets.full.valid_triples=-1": "budgets.full.valid_triples is -1; at least 1",
    "budgets.full.epochs=0": "budgets.full.epochs is 0; at least 1",
    "budgets.full.validations=0": "budgets.full.validations is 0; at least 1",
    "stopping.patience=0": "stopping.patience is 0; at least 1",
    "stopping.patience=-1": "stopping.patience is -1; at least 1",
    "scorer.dim=null": "scorer.dim is null; expected an integer",
    "scorer.dim=[1]": r"scorer.dim is \[1\]; expected an integer",
    "scorer.dim=10000000000": "scorer.dim is 10000000000; at most 2147483647",
    "scorer.margin=nan": "scorer.margin is nan; expected a finite number",
    "scorer.margin=-inf": "scorer.margin is -inf; expected a finite number",
    "negatives.num_negatives=1000000000000": "negatives.num_negatives is 1000000000000; at most 2147483647",
    "optimization.optimizer.lr=null": "optimization.optimizer.lr is null; expected a number",
    "optimization.optimizer.lr=0": "optimization.optimizer.lr is 0; above 0",
    "optimization.optimizer.lr=-0.1": "optimization.optimizer.lr is -0.1; above 0",
    "optimization.optimizer.lr=inf": "optimization.optimizer.lr is inf; expected a finite number",
    "optimization.optimizer.weight_decay=-1": "optimization.optimizer.weight_decay is -1; at least 0",
    "+optimization.optimizer.betas=[0.9]": "optimization does not work: ",
    "+optimization.optimizer.betas=[0.9,1]": "optimization does not work: Invalid beta parameter",
    "+optimization.optimizer.betas=0.9": "optimization.optimizer.betas is 0.9; expected a list",
    "optimization.clip_norm=0": "optimization.clip_norm is 0; above 0",
    "+optimization.sparse=maybe": "optimization.sparse is 'maybe'; expected true or false",
    "optimization.scheduler={a: 1}": "optimization does not work: ",
    "generator.weight=-1": "generator.weight is -1; at least 0",
    "generator.every=0": "generator.every is 0; at least 1",
    "generator.weight=null": "generator.weight is null; expected a number",
    "generator.levels=3": "generator.levels is 3; expected a list",
    "generator.levels=[3]": r"generator.levels\[0\] is 3; expected a mapping",
    "generator.levels=[{time: 2}]": r"generator.levels\[0\].time is 2; at most 1",
    "generator.loss=null": "generator.loss has no _target_",
    "generator.model.rows=0": "generator.model.rows is 0; at least 1",
    "generator.model.copies=0": "generator.model.copies is 0; at least 1",
    "generator.model.schedule.steps=0": "generator.model.schedule.steps is 0; at least 1",
    "generator.model.denoiser.activation=tanh": "activation is 'tanh'; expected relu, silu",
    "generator.optimization.optimizer.lr=-1": "generator.optimization.optimizer.lr is -1; above 0",
    "protocol.carve_fraction=1": "protocol.carve_fraction is 1; below 1",
    "encoder.modalities=visual": "encoder.modalities is 'visual'; expected a list",
    "encoder.modalities=[1]": r"encoder.modalities\[0\] is 1; expected a text",
}


def not_refused(cases, check):
    """Of overrides and the message that each is to be refused with, those that are not."""
    errors = []
    for override, message in cases.items():
        try:
            check(composed(override))
        except InputError as error:
            errors += [] if re.search(message, str(error)) else [f"{override}: {error}"]
        else:
            errors.append(f"{override}: passes")
    return errors


def test_values_out_of_range():
    assert not not_refused(REFUSED, check_settings)


PLATEAU = "{_target_: torch.optim.lr_scheduler.ReduceLROnPlateau, _partial_: true}"


@pytest.mark.parametrize(
    "overrides",
    [
        (f"optimization.scheduler={PLATEAU}",),
        ("+optimization.sparse=true", "optimization.optimizer.fused=false"),
        ("optimization=lazy_adam", "optimization.optimizer._target_=torch.optim.Adam"),
        (
            "optimization.optimizer._target_=torch.optim.LBFGS",
            "~optimization.optimizer.fused",
            "~optimization.optimizer.weight_decay",
        ),
    ],
    ids=["needs a metric", "dense only", "lazy", "needs a closure"],
)
def test_an_optimization_rehearses(overrides):
    with pytest.raises(InputError, match="optimization does not work: "):
        check_settings(composed(*overrides))


def test_an_optimization_that_works_passes():
    exponential = "{_target_: torch.optim.lr_scheduler.ExponentialLR, _partial_: true, gamma: 0.9}"
    check_settings(composed(f"optimization.scheduler={exponential}", "optimization.clip_norm=1"))
    check_settings(composed("optimization=lazy_adam"))


# --- keys that nothing reads ---------------------------------------------------------------------------------------

UNKNOWN = {
    "+nonsense=1": "nonsense is no setting of dhns train",
    "+data.batch=1": "data.batch is no setting of dhns train; did you mean data.batch_size",
    "+stopping.patients=1": "stopping.patients is no setting of dhns train; did you mean stopping.patience",
    "+paths.output=x": "paths.output is no setting of dhns train; did you mean paths.outputs",
    "+epochs={full: 3}": "epochs is no setting of dhns train; it is called budgets.NAME.epochs now",
    "+diffheg.weight=1": "diffheg is no setting of dhns train; it is called generator now",
    "+generator.weights=1": "generator.weights is no setting of dhns train; did you mean generator.weight",
    "+experiment.x=1": "experiment is no setting of dhns train",
    "data=3": "data is 3; set what is in it: batch_size, valid_triples",
}


def test_keys_that_nothing_reads():
    assert not not_refused(UNKNOWN, lambda config: require_known(config, "train"))


@pytest.mark.parametrize("override", ["+dataset.modalities.audio=a.npy", "+trainer.profiler=simple", "seed=3"])
def test_keys_that_something_reads(override):
    require_known(composed(override), "train")


def test_a_setting_that_was_taken_away():
    with pytest.raises(InputError, match=r"dhns train needs stopping\.patience; leave out ~stopping\.patience"):
        require_complete(composed("~stopping.patience"), "train")


# --- annotations ---------------------------------------------------------------------------------------------------

NUMBERS = [name for name, kind in vars(ranges).items() if typing.get_origin(kind) is Annotated]


@pytest.mark.parametrize("name", NUMBERS)
@given(value=st.one_of(st.integers(-(2**70), 2**70), st.floats(-2, 2), st.sampled_from([0, 1, 2**31, 2**63])))
def test_a_range_admits_what_its_bounds_say(name, value):
    annotation = getattr(ranges, name)
    kind, *bounds = typing.get_args(annotation)
    holds = {
        Ge: lambda bound: value >= bound.ge,
        Gt: lambda bound: value > bound.gt,
        Le: lambda bound: value <= bound.le,
        Lt: lambda bound: value < bound.lt,
    }
    inside = isinstance(value, (int, float) if kind is float else int) and all(holds[type(b)](b) for b in bounds)
    try:
        check_value("x", value, annotation)
    except InputError:
        assert not inside
    else:
        assert inside


@pytest.mark.parametrize(
    ("value", "annotation"),
    [(1, bool), (True, int), (True, float), (1.0, int), (None, str), ("a", list[str]), ([1], list[str]),
     (1, Literal[True]), (True, Literal[1]), ("b", Literal["a"]), ({}, int), ([], int | None),
     ({"a": 1}, Mapping[str, str]), ("a", Mapping[str, str]), ([["a"]], Sequence[Sequence[int]])],
)  # fmt: skip
def test_kinds_are_not_mixed_up(value, annotation):
    with pytest.raises(InputError):
        check_value("x", value, annotation)


def test_numbers_that_are_none_are_found_anywhere():
    for value in ({"a": [1, {"b": float("nan")}]}, [float("inf")], float("-inf")):
        with pytest.raises(InputError, match="expected a finite number"):
            check_leaves("x", value)
    check_leaves("x", {"a": [1, {"b": 1e38}], "c": "nan"})


@pytest.mark.parametrize("value", [1e39, -1e300, 10**400])
def test_numbers_beyond_single_precision_are_found_anywhere(value):
    with pytest.raises(InputError, match=r"x\.a\[0\] is -?1.*; at most 3.4e\+38 is a number for a model"):
        check_leaves("x", {"a": [value]})


def configurable():
    """Every class of this project that conf/ configures."""

    def targets(node):
        if isinstance(node, dict):
            yield from [node["_target_"]] if "_target_" in node else []
            node = list(node.values())
        for child in node if isinstance(node, list) else ():
            yield from targets(child)

    files = (OmegaConf.to_container(OmegaConf.load(path), resolve=False) for path in conf_dir().rglob("*.yaml"))
    return sorted({target for content in files for target in targets(content) if target.startswith("dhns.")})


def test_every_number_that_conf_configures_has_a_range():
    """A new argument that is a bare number is one that someone can set to NaN's neighbours."""
    bare = set()
    for target in configurable():
        if target.endswith("LazyAdam"):
            continue  # as torch's own, by dhns.training.check
        hints = imported(get_object(target)).hints
        names = {name for name, hint in hints.items() if set(alternatives(hint)) & {int, float}}
        bare |= {f"{target}.{name}" for name in names - {"views", "width", "bytes"}}
    assert not bare
