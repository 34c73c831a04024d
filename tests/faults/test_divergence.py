"""Training that diverges ends with the epoch and the batch in which it did, and saves nothing of it."""

import pytest

from dhns.results.store import FILE_NAME
from dhns.training.checkpoint import read_checkpoint
from faults.injection import PoisonedStep
from faults.runs import check_clear_error, check_restarts, check_whole, run
from faults.test_kill import cases

STEPS = 4  # batches of an epoch


@pytest.mark.parametrize(
    ("system", "call"), cases([("dhns", 9)], [(s, n) for s in ("dhns", "nscaching", "softmax") for n in (0, 3, 6, 11)])
)
def test_parameters_become_nan(tmp_path, undisturbed, ledger, system, call):
    """NaN in a parameter after some step."""
    ledger.injected()
    status, printed = run(tmp_path, system, PoisonedStep(call))
    epoch = call // STEPS + 1
    check_clear_error(status, printed, f"in epoch {epoch}, batch ", "Lower the learning rate")
    check_whole(tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert last.exists() == (epoch > 1)
    assert epoch == 1 or read_checkpoint(last)["epoch"] == epoch - 2
    check_restarts(tmp_path, system, undisturbed(system)[0])
    ledger.refused()


@pytest.mark.faults
@pytest.mark.parametrize("system", ["dhns", "nscaching", "softmax", "last epoch"])
@pytest.mark.parametrize("rate", ["1e30", "1e38"])
def test_learning_rate_that_is_absurd(tmp_path, ledger, system, rate):
    """a learning rate at which training diverges."""
    ledger.injected()
    check_clear_error(
        *run(tmp_path, system, overrides=[f"optimization.optimizer.lr={rate}"]), "diverged", "learning rate"
    )
    check_whole(tmp_path / "run")
    assert not (tmp_path / "run" / FILE_NAME).exists()
    ledger.refused()
