"""What runs are called."""

import pytest

from dhns.results.titles import differences, name, sampler, settings, title
from results.stored import result


@pytest.mark.parametrize(
    ("overrides", "expected"),
    {
        ("model=rotate",): "rotate",
        (): "dhns RotatE",
        ("scorer=distmult",): "dhns DistMult",
        ("model=tucker_n3",): "tucker_n3 TuckER",
        ("model=rotate", "encoder=attention_fusion"): "rotate encoder=attention_fusion",
        ("model=ikrl", "encoder=tbkgc"): "ikrl ViewEnergies encoder=tbkgc",
        ("model=ikrl", "encoder.with_sum=true"): "ikrl ViewEnergies",
        ("encoder=structural",): "dhns RotatE encoder=structural",
        ("loss=margin_ranking",): "dhns RotatE loss=margin_ranking",
        ("model=distmult", "regularizer=none"): "distmult regularizer=none",
        ("model=complex_n3", "regularizer=n3"): "complex_n3 ComplEx regularizer=n3",
        ("generator=paper",): "dhns RotatE paper",
        ("generator=none",): "dhns RotatE generator=none",
        ("model=rotate", "generator=default"): "rotate generator=default",
        ("model=adamf_mat",): "adamf_mat RotatE",
        ("ablation=no_diffheg",): "dhns RotatE no_diffheg",
        ("ablation=gaussian",): "dhns RotatE gaussian",
        ("ablation=no_hal",): "dhns RotatE no_hal",
        ("missing=random", "missing.modalities=[visual]"): "dhns RotatE less 30 % random (visual)",
        ("features=shuffled",): "dhns RotatE features=shuffled",
        ("features=random", "features.modalities=[visual]", "missing=random"): (
            "dhns RotatE features=random (visual) less 30 % random"
        ),
        ("encoder.absent=zero",): "dhns RotatE absent=zero",
    }.items(),
    ids=lambda part: " ".join(part)[:30],
)
def test_names_say_what_is_not_the_systems_own(overrides, expected):
    run = result({}, *overrides)
    assert name(run) == expected
    assert title(run) == f"{expected} #{run['config_hash']}"


@pytest.mark.parametrize("model", ["ikrl", "tbkgc", "vbkgc", "otkge", "rsme", "transae", "gc_ote", "ns_kge", "adamf"])
def test_models_are_called_by_their_names_alone(model):
    assert "=" not in name(result({}, f"model={model}"))


@pytest.mark.parametrize("system", ["mine", "../train"])
def test_of_a_model_of_ones_own_all_is_told(system):
    parts = "encoder=structural loss=self_adversarial regularizer=none generator=none"
    assert name(result({}, "model=rotate", f"system={system}")) == f"{system} RotatE {parts}"


def test_a_class_of_ones_own_is_named():
    run = result({})
    run["config"]["encoder"] = {"_target_": "mine.encoders.Mine"}
    assert name(run) == "dhns RotatE encoder=Mine"


def test_older_results_lack_some_settings():
    run = result({}, "model=rotate")
    for key in ("missing", "regularizer", "loss", "reciprocal", "acceleration", "budget"):
        run["config"].pop(key, None)
    assert name(run) == "rotate"


def test_samplers():
    assert sampler(result({})) == "bernoulli"
    assert sampler(result({}, "negatives=kbgan")) == "kbgan"
    assert sampler(result({}, "model=complex_n3")) == "all"
    assert sampler({"config": {"members": []}}) == ""


def told(*runs):
    return differences([settings(run["config"]) for run in runs])


def test_differences_are_in_the_words_of_the_command_line():
    plain, wide, other = (result({}, *more) for more in ((), ("scorer.margin=9.5",), ("negatives=uniform",)))
    margin = plain["config"]["scorer"]["margin"]
    assert told(plain, wide) == [f"scorer.margin={margin}", "scorer.margin=9.5"]
    assert told(plain, other) == ["negatives=BernoulliSampler", "negatives=UniformSampler"]
    assert told(plain) == [""]
    assert told(plain, result({}, "stopping.patience=null"))[1] == "stopping.patience=null"


def test_differences_leave_out_what_changes_no_number():
    assert told(result({}), result({}, "seed=5", "progress=false", "trainer.accelerator=cpu", "run_dir=x")) == ["", ""]


def test_differences_are_of_what_a_budget_comes_to():
    short = result({}, "budget=short", "budgets.short.validations=5", "trainer.check_val_every_n_epoch=4")
    as_many = result({}, "trainer.max_epochs=20", "trainer.check_val_every_n_epoch=4")
    assert told(short, as_many) == ["", ""]
    assert "trainer.max_epochs=20" in told(short, result({}, "trainer.check_val_every_n_epoch=4"))[0]


def test_the_most_telling_differences_come_first_and_the_others_are_counted():
    runs = [
        result({}, "data.batch_size=7", "stopping.patience=1", f"optimization.optimizer.lr={lr}", f"scorer.dim={dim}")
        for lr, dim in ((0.1, 4), (0.2, 6), (0.3, 6))
    ]
    runs.append(result({}, "data.batch_size=9", "stopping.patience=2", "optimization.optimizer.lr=0.4", "scorer.dim=8"))
    found = told(*runs)
    assert found[0] == "optimization.optimizer.lr=0.1 scorer.dim=4 and 2 more"
    assert len(set(found)) == 4
