"""Sweeps: every run once, in a folder of its own, whatever launches it; failures are told at the end."""

import pytest
from omegaconf import OmegaConf

from commands.shell import TRAIN, program, refused, results, succeed
from dhns.experiments.sweeps.jobs import Job
from dhns.training import experiment
from dhns.training.module import LinkPredictionModule

SWEEP = ("train", "--multirun", *TRAIN[1:], "model=rotate", "trainer.max_epochs=1")
LAUNCHERS = {
    "joblib": ("hydra_plugins.hydra_joblib_launcher", "hydra.launcher.n_jobs=2"),
    "submitit_local": ("hydra_plugins.hydra_submitit_launcher", "hydra.launcher.timeout_min=10"),
}


def trainings(folder):
    """How often each run folder's training was started."""
    logs = sorted(folder.rglob("train.log"))
    return {log.parent: log.read_text(encoding="utf-8").count("training starts in process") for log in logs}


def rows(printed):
    """The lines of a sweep's table: job, validation MRR and so on."""
    lines = printed[printed.index("jobs, ") :].splitlines()
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if line.startswith("│")]


def test_a_sweep_ends_with_a_table_of_its_results(place):
    printed = succeed(place, *SWEEP, "seed=0,1")
    found = results(place)
    assert [path.parent.name for path in found] == ["seed-0", "seed-1"]
    assert len({path.parent.parent for path in found}) == 1
    first, second = found.values()
    assert (first["seed"], second["seed"]) == (0, 1)
    assert first["metrics"] != second["metrics"]
    assert "2 jobs, 2 with a result; validation split" in printed
    for row, (path, result) in zip(rows(printed), found.items(), strict=True):
        assert row[0] == f"seed={result['seed']}"
        assert row[1] == f"{100 * result['metrics']['valid']['mrr']:.2f}"
        assert row[-1] == str(path.parent.relative_to(place))
    # a job of a sweep is the run that it would be alone
    alone = [argument for argument in SWEEP if argument != "--multirun"]
    assert "already done" in succeed(place, *alone, "seed=1")
    assert rows(succeed(place, *SWEEP, "seed=0,1")) == rows(printed)
    assert list(trainings(place).values()) == [1, 1]


def test_what_fails_is_told_at_the_end_with_its_log(place, monkeypatch):
    step = LinkPredictionModule.training_step

    def training_step(self, *arguments):
        if self.seed == 1:
            raise ZeroDivisionError("out of luck")
        return step(self, *arguments)

    monkeypatch.setattr(LinkPredictionModule, "training_step", training_step)
    ended = program(place, *SWEEP, "seed=1,2", "scorer.dim=x,4")
    assert ended.code == 1
    assert len(results(place)) == 1
    assert "4 jobs, 1 with a result" in ended.out
    *lines, last = ended.err.splitlines()
    assert last == "3 of 4 jobs have no result; the same command runs them"
    reasons = {line.split(": ")[1]: line for line in lines}
    assert reasons.keys() == {"scorer.dim=x seed=1", "scorer.dim=4 seed=1", "scorer.dim=x seed=2"}
    assert "scorer.dim is 'x'; expected an integer; log: outputs/" in reasons["scorer.dim=x seed=2"]
    assert "ZeroDivisionError: out of luck; log: outputs/" in reasons["scorer.dim=4 seed=1"]
    log = (place / reasons["scorer.dim=4 seed=1"].split("log: ")[1]).read_text(encoding="utf-8")
    assert "Traceback" in log
    assert "in training_step" in log

    monkeypatch.undo()
    ended = program(place, *SWEEP, "seed=1,2")
    assert (ended.code, ended.err) == (0, "")


def test_the_same_run_twice_is_done_once(place):
    printed = succeed(place, *SWEEP, "seed=0", "trainer.log_every_n_steps=1,2")
    assert "are one run, which is done once" in printed
    assert "1 jobs, 1 with a result" in printed
    assert list(trainings(place).values()) == [1]


def test_different_runs_may_not_share_a_folder(place):
    assert "would both write to run; leave out run_dir" in refused(place, *SWEEP, "run_dir=run", "seed=0,1")
    assert not (place / "run").exists()


def test_a_choice_that_does_not_exist_is_told_before_the_first_run(place):
    assert "Could not find 'model/rotatt'" in refused(place, *SWEEP, "model=transe,rotatt")
    assert not (place / "outputs").exists()


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_launchers_with_processes_of_their_own(place, launcher):
    package, option = LAUNCHERS[launcher]
    pytest.importorskip(package, reason=f"hydra/launcher={launcher} is not installed: pip install 'dhns[sweep]'")
    rates = "optimization.optimizer.lr=0.02,1e30"
    ended = program(place, *SWEEP, f"hydra/launcher={launcher}", option, rates, "seed=0", OMP_NUM_THREADS="1")
    assert ended.code == 1
    assert [path.parent.name for path in results(place)] == ["seed-0"]
    assert "no result: optimization.optimizer.lr=1e+30: training has diverged" in ended.err
    assert sorted(trainings(place).values()) == [1, 1]


def test_a_value_that_is_none_is_told_before_the_first_run(place):
    assert "seed is 'x'; expected an integer" in refused(place, *SWEEP, "seed=0,x")
    assert not results(place)


def test_a_launcher_that_breaks_leaves_a_report(place, monkeypatch):
    """As joblib does when a worker is killed; scripts/sweep_check.py kills a real one."""
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    launch = BasicLauncher.launch

    def breaking(self, overrides, initial_job_idx):
        launch(self, overrides[:1], initial_job_idx)
        raise RuntimeError("a worker was killed")

    monkeypatch.setattr(BasicLauncher, "launch", breaking)
    ended = program(place, *SWEEP, "seed=0,1")
    assert ended.code == 1
    assert "the launcher has ended early (RuntimeError)" in ended.out
    assert "no result: seed=1: it was not started" in ended.err
    monkeypatch.undo()
    succeed(place, *SWEEP, "seed=0,1")
    assert list(trainings(place).values()) == [1, 1]


@pytest.fixture
def absurd_test_ranks(monkeypatch):
    """Makes whatever is ranked on the test split look perfect."""
    rank = experiment.rank_split

    def rank_split(module, split, *arguments):
        metrics, ranked = rank(module, split, *arguments)
        return dict.fromkeys(metrics, 1.0) if split == "test" else metrics, ranked

    monkeypatch.setattr(experiment, "rank_split", rank_split)


def test_a_sweeper_is_told_the_mrr_of_validation(place, monkeypatch, absurd_test_ranks):
    told = []
    monkeypatch.setattr(Job, "take", lambda self, outcome: told.append(outcome.return_value))
    succeed(place, *SWEEP, "seed=0,1")
    assert told == [result["metrics"]["valid"]["mrr"] for result in results(place).values()]
    assert [result["metrics"]["test"]["mrr"] for result in results(place).values()] == [1.0, 1.0]
    assert all(value < 1 for value in told)


SEARCHED = ("optimization.optimizer.lr", "data.batch_size")  # what the command line sets is not searched
FIXED = tuple(argument for argument in SWEEP if not argument.startswith(SEARCHED))
OPTUNA = (*FIXED, "sweep=optuna", "hydra.sweeper.n_trials=3")


def test_optuna_searches_on_validation_and_goes_on(place, absurd_test_ranks):
    pytest.importorskip("optuna", reason="hydra-optuna-sweeper is not installed: pip install 'dhns[search]'")
    succeed(place, *OPTUNA)
    best = OmegaConf.load(place / "outputs" / "optimization_results.yaml")
    found = {result["config"]["optimization"]["optimizer"]["lr"]: result for result in results(place).values()}
    assert len(found) == 3
    assert best.best_value == max(result["metrics"]["valid"]["mrr"] for result in found.values()) < 1
    assert found[best.best_params["optimization.optimizer.lr"]]["metrics"]["valid"]["mrr"] == best.best_value
    # a search that was killed proposes the same again, and what has a result is not trained again
    succeed(place, *OPTUNA)
    assert list(trainings(place).values()) == [1, 1, 1]


def test_without_optuna_the_package_is_named(place):
    try:
        import optuna  # noqa: F401
    except ImportError:
        assert "pip install 'dhns[search]'" in refused(place, *OPTUNA)
    else:
        pytest.skip("hydra-optuna-sweeper is installed")
