"""Every file of conf/: it composes, fits the code that it configures, and changes what it says it changes."""

import functools
import inspect
import itertools
import re

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dhns.config.resolvers import register_resolvers
from dhns.errors import InputError
from dhns.experiments.reproduction.paper_table import METRIC_NAMES
from dhns.resources import conf_dir
from dhns.training.build import build_module
from dhns.training.check import check_settings

ROOTS = sorted(path.stem for path in conf_dir().glob("*.yaml"))
GROUPS = sorted({path.parent.name for path in conf_dir().glob("*/*.yaml")})
PACKAGES = {
    "scorer": "scorers",
    "encoder": "encoders",
    "negatives.scorer": "scorers",
    "negatives.optimization": "optim",
    "negatives.generator": "generators",
    "negatives.levels": "generators",
    "negatives": "negatives",
    "loss": "losses",
    "regularizer": "losses",
    "dataset": "graph",
    "source": "sources",
    "protocol": "graph",
    "missing": "graph",
    "features": "graph",
    "optimization": "optim",
    "acceleration": "training",
    "trainer": "training",
    "generator.model": "generators",
    "generator.loss": "generators",
    "generator.optimization": "optim",
    "image_encoder": "features",
    "text_encoder": "features",
    "logger": "tracking",
}
OF_USERS = (InputError, HydraException, OmegaConfBaseException)
SPECIAL = {"_target_", "_partial_", "_args_", "_recursive_", "_convert_"}


def options(group):
    """The files of a group, those in folders as ``folder/file``."""
    folder = conf_dir() / group
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))


def groups_of(root):
    """The groups in the defaults list of a root."""
    defaults = OmegaConf.load(conf_dir() / f"{root}.yaml").defaults
    keys = [key.removeprefix("optional ") for entry in defaults if OmegaConf.is_dict(entry) for key in entry]
    return [key for key in keys if key in GROUPS]


@functools.cache
def composed(root, *overrides):
    register_resolvers()
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        return compose(root, overrides=list(overrides))


def settings(*overrides):
    """A composition of train, interpolations as written, as leaves by dotted key; lists are leaves."""
    return leaves(OmegaConf.to_container(composed("train", *overrides), resolve=False))


def leaves(node, key=""):
    if not isinstance(node, dict) or not node:
        return {key: node}
    return {k: v for name, child in node.items() for k, v in leaves(child, f"{key}.{name}" if key else name).items()}


def targets(node, key=""):
    """Every ``_target_`` node of a container, by dotted key."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield key, node
        for name, child in node.items():
            yield from targets(child, f"{key}.{name}" if key else name)
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from targets(child, f"{key}[{index}]")


def misfits(key, node):
    """What the target of a node would refuse."""
    try:
        target = get_object(node["_target_"])
        inspect.signature(target).bind_partial(**{k: v for k, v in node.items() if k not in SPECIAL})
    except Exception as error:
        yield f"{key}: {error}"
        return
    package = next(
        (PACKAGES[group] for group in PACKAGES if key == group or key.startswith((f"{group}.", f"{group}["))), None
    )
    if node["_target_"].startswith("dhns.") and node["_target_"].split(".")[1] != package:
        yield f"{key}: {node['_target_']} does not lie in dhns.{package}"


def refusal(call):
    """What a user is told; None where nothing is refused."""
    try:
        call()
    except OF_USERS as error:
        return " ".join(str(error).split())
    return None


def not_refused(cases, call):
    """Of overrides and the message that each is to be refused with, those that are not."""
    told = {overrides: refusal(functools.partial(call, overrides)) for overrides in cases}
    return [f"{key}: {told[key]}" for key, message in cases.items() if not re.search(message, told[key] or "")]


ALONE = {"model", "loss", "generator", "ablation", "experiment"}  # that choose or change those of other groups


def choices(root):
    """A root as it is, and compositions that have each of its choices.

    Those of groups that have nothing to do with each other are made together, the first of each, the second of each.
    """
    yield ()
    groups = groups_of(root)
    for group in ALONE.intersection(groups):
        yield from choices_of(root, group)
    together = [choices_of(root, group) for group in groups if group not in ALONE]
    yield from (itertools.chain(*each) for each in itertools.zip_longest(*together, fillvalue=()))


def choices_of(root, group):
    for option in options(group):
        if "/" not in option and (group, option) != ("sweep", "optuna"):
            needs = SOFTMAX if (root, group, option) == ("train", "generator", "partition") else ()
            # quoted, as the program quotes the numbers of tables
            yield (f"{group}='{option}'" if group == "table" else f"{group}={option}", *needs)


def flaws(root, *overrides):
    try:
        config = composed(root, *overrides)
        content = OmegaConf.to_container(config, resolve=True, throw_on_missing=False)
        found = [problem for key, node in targets(content) for problem in misfits(key, node)]
        check_settings(config)
    except Exception as error:
        found = [f"{type(error).__name__}: {error}"]
    return [f"{' '.join(overrides)}: {problem}" for problem in found]


@pytest.mark.parametrize("root", ROOTS)
def test_every_file_composes_resolves_and_fits_the_code(root):
    errors = [flaw for overrides in choices(root) for flaw in flaws(root, *overrides)]
    assert not errors, "\n".join(errors)


def test_a_search_composes_resolves_and_fits_the_code():
    pytest.importorskip("optuna", reason="hydra-optuna-sweeper is not installed: pip install 'dhns[search]'")
    assert not flaws("train", "sweep=optuna")


def test_every_group_is_used():
    used = {group for root in ROOTS for group in groups_of(root)}
    assert used == set(GROUPS)


@pytest.mark.parametrize("group", ["scorer", "model"])
def test_the_scorers_have_files(group):
    assert {"rotate", "transe", "distmult", "complex"} <= set(options(group))


def test_no_value_is_missing_but_those_that_a_user_gives():
    missing = {key for root in ROOTS for key, value in leaves_of(composed(root)).items() if value == "???"}
    for option in options("dataset"):
        config = leaves_of(composed("train", f"dataset={option}"))
        missing |= {key for key, value in config.items() if value == "???"}
    assert missing == {"checkpoint", "action", "out", "members", "triples", "dataset.folder", "dataset.path"}


def leaves_of(config):
    return leaves(OmegaConf.to_container(config, resolve=False))


def test_unknown_keys_are_refused():
    cases = {f"{key}={value}": key for key, value in UNKNOWN.items()}
    assert not not_refused(cases, lambda override: composed("train", override))


UNKNOWN = {"scorer.dimm": 3, "nonsense": 1, "trainer.max_epoch": 1, "dataset.foldr": "x"}
ADDED = {
    "+scorer.dimm=3": "scorer.dimm is no setting of RotatE; did you mean scorer.dim?",
    "+trainer.max_epoch=3": "trainer.max_epoch is no setting of Trainer; did you mean trainer.max_epochs?",
    "generator.levels=[{time: 0.5, weigth: 1}]": r"generator.levels\[0\].weigth is no .* generator.levels\[0\].weight?",
    "generator.levels=[]": "generator.levels is empty",
    "scorer._target_=dhns.scorers.rotate.Rotate": "scorer._target_ .* cannot be imported",
    "scorer.dim=many": "scorer.dim is 'many'; expected an integer",
    "scorer.dim=1.5": "scorer.dim is 1.5; expected an integer",
    "scorer.margin=true": "scorer.margin is true; expected a number",
    "negatives.filtered=7": "negatives.filtered is 7; expected true or false",
    "seed=null": "seed is null; expected an integer",
    "budget=tiny": "budget is 'tiny'; expected smoke, short, full",
    "trainer.max_epochs=many": "trainer.max_epochs is 'many'; expected an integer",
    "data.batch_size=x": "data.batch_size is 'x'",
    "loss.temperature=hot": "loss.temperature is 'hot'; expected a number, null",
    "trainer.precision=bogus": "trainer.precision is 'bogus'; expected .*bf16-mixed",
    "generator.loss.joint_scoring=bogus": "joint_scoring is 'bogus'; expected mean_score, fused, separate",
    "generator.model.prediction=bogus": "prediction is 'bogus'; expected noise, velocity",
    "generator.model.schedule.kind=bogus": "schedule.kind is 'bogus'; expected ",
    "missing=random missing.strategy=bogus": "missing.strategy is 'bogus'; expected random, low_degree, high_degree",
    "encoder.absent=bogus": "encoder.absent is 'bogus'; expected mask, zero, mean, learned",
    "encoder.fusion=bogus": "encoder.fusion is 'bogus'; expected ",
    "scorer=transe scorer.condition_sign=bogus": "condition_sign is 'bogus'; expected ",
    "negatives=uniform negatives.sides=bogus": "negatives.sides is 'bogus'; expected ",
    "protocol.select=bogus": "protocol.select is 'bogus'; expected best_valid, last_epoch",
    "generator=none ablation=no_hal": "ablation=no_hal changes a generator, and generator=none has none",
    "generator=paper ablation=no_diffheg": "ablation=no_diffheg chooses the generator itself, but generator=paper is",
    "generator=paper ablation=gaussian": "ablation=gaussian chooses the generator itself, but generator=paper is given",
    "generator=gaussian ablation=no_mmc": "generator.model.multimodal is no setting of GaussianNegatives",
}


def test_settings_that_fit_nothing_are_refused():
    def check(overrides):
        parts = [overrides] if overrides.startswith("generator.levels") else overrides.split()
        check_settings(composed("train", *parts))

    assert not not_refused(ADDED, check)


def test_values_of_every_admitted_kind_pass():
    for override in ("scorer.margin=9", "stopping.patience=null", "trainer.precision=bf16-mixed"):
        check_settings(composed("train", override, "trainer.deterministic=true"))


CLASHES = {
    *(("none", name) for name in options("ablation") if name not in ("none", "no_diffheg", "gaussian")),
    *((name, "no_diffheg") for name in options("generator") if name != "none"),
    *((name, "gaussian") for name in options("generator") if name not in ("none", "gaussian")),
    ("gaussian", "no_mmc"),
    ("gaussian", "single_level"),
    ("adversarial", "no_mmc"),
    ("adversarial", "single_level"),
    ("partition", "no_ntat"),  # its loss has no other joint scoring
}
SOFTMAX = ("loss=softmax", "negatives=all")


def test_every_combination_makes_a_module_or_is_refused(toy_graph):
    errors = []
    for generator in options("generator"):
        for ablation in options("ablation"):
            own = SOFTMAX if generator == "partition" else ()
            config = composed("train", "scorer.dim=8", f"generator={generator}", f"ablation={ablation}", *own)
            told, clash = refusal(functools.partial(check_settings, config)), (generator, ablation) in CLASHES
            if clash != (told is not None):
                errors.append(f"{generator}, {ablation}: {told}")
            for scorer in () if clash else options("scorer") if ablation == "none" else ["rotate"]:
                module, chosen = module_with(config, scorer, toy_graph)
                fits = type(module.model.scorer) is get_object(chosen._target_)
                if not fits or (module.generator is None) != (generator == "none"):
                    errors.append(f"{generator}, {ablation}, {scorer}: another module")
    assert not errors, "\n".join(errors)


@functools.cache
def scorer_node(scorer):
    return composed("train", f"scorer={scorer}", "scorer.dim=8").scorer


def module_with(config, scorer, graph):
    config = config.copy()
    config.scorer = scorer_node(scorer)
    return build_module(OmegaConf.to_container(config, resolve=False), graph), config.scorer


def test_every_model_makes_a_module(toy_graph):
    for model in options("model"):
        config = composed("train", f"model={model}", "scorer.dim=8")
        module = build_module(OmegaConf.to_container(config, resolve=False), toy_graph)
        assert config.system == model
        assert type(module.model.scorer) is get_object(config.scorer._target_), model
        assert (module.generator is None) == (not config.generator), model


def test_a_chosen_scorer_survives_the_model():
    assert composed("train", "model=dhns", "scorer=distmult").scorer._target_.endswith("DistMult")


def own_leaves(group, option):
    """What a file of a group says, without its defaults."""
    content = OmegaConf.to_container(OmegaConf.load(conf_dir() / group / f"{option}.yaml"), resolve=False)
    return {key: value for key, value in leaves(content).items() if not key.startswith("defaults")}


OTHERS = [name for name in options("experiment") if "/" not in name and name != "tuned"]
TUNED = [name.removeprefix("tuned/") for name in options("experiment") if name.count("/") == 3]


def test_experiments_have_the_last_word_but_for_the_command_line():
    for experiment in OTHERS:
        said = own_leaves("experiment", experiment)
        assert said
        for model in ("dhns", "rotate"):
            found = settings(f"experiment={experiment}", f"model={model}")
            assert {key: found[key] for key in said} == said, (experiment, model)
        assert settings(f"experiment={experiment}", "scorer.dim=6")["scorer.dim"] == 6, experiment


def test_every_tuned_setting_has_the_last_word():
    """Over the model, the sampler and so on that it is for, but for what is more special."""
    errors = []
    for name in TUNED:
        dataset, group, choice = name.split("/")
        others = () if group == "model" else ("model=rotate",)
        found = settings("experiment=tuned", f"dataset={dataset}", *others, f"{group}={choice}")
        for key, said in own_leaves("experiment/tuned", name).items():
            if found[key] != said:
                errors.append(f"{name}: {key} is {found[key]}, not {said}")
    assert len(TUNED) > 30
    assert not errors


@pytest.mark.parametrize("experiment", ["ceilings", "tuned"])
def test_settings_of_a_data_set_compose(experiment):
    datasets = [name.split("/")[1] for name in options("experiment") if re.fullmatch(f"{experiment}/[^/]+", name)]
    assert len(datasets) >= 3
    found = [
        f for name in datasets for f in flaws("train", f"experiment={experiment}", f"dataset={name}", "model=rotate")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("overrides", [("dataset=tsv",), ("dataset=mkg_w", "loss=margin_ranking")])
def test_what_is_not_tuned_is_refused(overrides):
    with pytest.raises(
        (InputError, HydraException),
        match=r"data\.batch_size is null, as experiment=tuned leaves|mkg_y/loss/margin_ranking",
    ):
        check_settings(composed("train", "experiment=tuned", *overrides))


def table(number):
    return composed("reproduce", f"table='{number}'").table


def test_every_cell_composes_and_is_what_its_table_says():
    """Those on the embedded graph and on MKG-W are composed where stored tables are compared with them."""
    assert OmegaConf.load(conf_dir() / "experiment/tuned/mkg_w.yaml") == {"defaults": ["/experiment/tuned/mkg_y"]}
    errors = []
    for number in options("table"):
        rows = {name: row for group in table(number).groups.values() for name, row in group.items()}
        for dataset in {"db15k", "mkg_y"} & set(table(number).datasets):
            for name, row in rows.items():
                config = composed("train", "experiment=tuned", f"dataset={dataset}", *row.train)
                chosen = dict(argument.split("=") for argument in row.train)
                found = {"model": config.system, "ablation": config.ablated}
                wrong = {key for key in found.keys() & chosen.keys() if found[key] != chosen[key]}
                if wrong or config.dataset != composed("train", f"dataset={dataset}").dataset:
                    errors.append(f"table {number}, {dataset}, {name}: {wrong}")
                if number == "3":  # has every model, on one data set
                    check_settings(config)
    assert not errors


@pytest.mark.parametrize("number", options("table"))
def test_tables_are_sound(number):
    content = table(number)
    names = [name for group in content.groups.values() for name in group]
    labels = [(group, row.label) for group, rows in content.groups.items() for row in rows.values()]
    assert str(content.number) == number
    assert len(set(names)) == len(names)
    assert len(set(labels)) == len(labels)
    assert set(content.datasets) <= set(content.published) <= set(options("dataset"))
    assert set(content.metrics) <= METRIC_NAMES.keys()
    for rows in content.published.values():
        assert set(rows) <= set(names)
        for printed in rows.values():
            assert len(printed) == len(content.metrics)
            assert all(number is None or 0 < number < 100 for number in printed)


@pytest.mark.parametrize(("epochs", "validations", "interval"), [(100, 20, 5), (30, 5, 6), (31, 5, 6), (2, 20, 1)])
def test_validations_are_spread_over_the_epochs(epochs, validations, interval):
    config = composed(
        "train", f"budgets.short.epochs={epochs}", f"budgets.short.validations={validations}", "budget=short"
    )
    assert (config.trainer.max_epochs, config.trainer.check_val_every_n_epoch) == (epochs, interval)


def test_the_smoke_budget_is_the_smallest():
    smoke, short, full = (composed("train", f"budget={budget}") for budget in ("smoke", "short", "full"))
    assert smoke.trainer.max_epochs < short.trainer.max_epochs < full.trainer.max_epochs
    assert smoke.data.valid_triples < 100
    assert full.data.valid_triples is None


def test_epochs_can_be_given_directly_whatever_the_budget():
    config = composed("train", "budget=smoke", "trainer.max_epochs=60")
    assert config.trainer.max_epochs == 60


def test_protocols_are_named_as_their_files():
    assert [composed("train", f"protocol={name}").protocol.name for name in options("protocol")] == options("protocol")


def differing(*overrides):
    """The keys in which a composition differs from that without overrides."""
    before, after = settings(), settings(*overrides)
    return {key for key in before.keys() | after.keys() if before.get(key, "absent") != after.get(key, "absent")}


VALUES = [name for name in options("ablation") if name not in ("none", "no_diffheg", "gaussian")]


def test_ablations_change_what_they_say_and_nothing_else():
    for ablation in VALUES:
        said, found = own_leaves("ablation", ablation), settings(f"ablation={ablation}")
        assert differing(f"ablation={ablation}") == set(said), ablation
        assert {key: found[key] for key in said} == said, ablation
        assert found["ablated"] == ablation


@pytest.mark.parametrize(("ablation", "generator"), [("no_diffheg", "none"), ("gaussian", "gaussian")])
def test_ablations_that_choose_a_generator(ablation, generator):
    chosen, direct = settings(f"ablation={ablation}"), settings(f"generator={generator}")
    assert chosen.pop("ablated") == ablation
    assert direct.pop("ablated") == "full"
    assert chosen == direct
    assert all(key == "ablated" or key.startswith("generator") for key in differing(f"ablation={ablation}"))


def test_no_ablation_is_the_default():
    assert differing("ablation=none") == set()


def test_negatives_in_the_partition_need_one():
    with pytest.raises(InputError, match="add loss=softmax negatives=all"):
        check_settings(composed("train", "generator=partition"))


def test_negatives_in_the_partition_differ_from_the_default_by_their_loss_alone():
    default, joined = composed("train").generator, composed("train", "generator=partition").generator
    assert {key for key in default if default[key] != joined[key]} == {"name", "weight", "loss"}


def test_the_gaussian_control_differs_from_the_default_by_its_generator_alone():
    default, control = composed("train").generator, composed("train", "generator=gaussian").generator
    for key in ("weight", "every", "levels", "loss", "model.rows"):
        assert OmegaConf.select(control, key) == OmegaConf.select(default, key), key
    assert set(control) == {"name", "weight", "every", "levels", "loss", "model"}


def test_level_times_of_ablations_are_those_of_the_default():
    times = [level["time"] for level in settings()["generator.levels"]]
    assert [level["time"] for level in own_leaves("ablation", "no_ntat")["generator.levels"]] == times
    for ablation in ("no_mhld", "single_level"):
        assert {level["time"] for level in own_leaves("ablation", ablation)["generator.levels"]} <= set(times)


def test_reversed_levels_have_weights_and_margins_of_the_other_end():
    default = settings()["generator.levels"]
    turned = own_leaves("ablation", "levels_reversed")["generator.levels"]
    assert turned == [{**other, "time": level["time"]} for level, other in zip(default, reversed(default), strict=True)]


def test_single_level_generates_as_many_negatives_as_the_full_method():
    single = settings("ablation=single_level")
    assert single["generator.model.copies"] * len(single["generator.levels"]) == len(settings()["generator.levels"])


@pytest.mark.parametrize("word", ["true", "false"])
def test_offline_is_a_switch(monkeypatch, word):
    monkeypatch.setenv("DHNS_WANDB_OFFLINE", word)
    assert composed.__wrapped__("train", "logger=wandb").logger.backend.offline is (word == "true")
