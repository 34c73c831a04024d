"""Code of one's own, and runs that training starts from, change after a run: they count as data do."""

import shutil

import pytest

from commands.shell import DATA, SMALL, write_graph
from faults.changes import rewrite
from faults.injection import At
from faults.program import start
from faults.test_stale import check_of_the_data_there, told

ROTATE = ("train", "model=rotate", *DATA, *SMALL, "progress=false")
FORMULA = "FACTOR = 1.0\n"
SCORER = """from dhns.scorers.rotate import RotatE
{imported}

class Mine(RotatE):
    def __init__(self, dim: int, margin: float = 9.0, epsilon: float = 2.0):
        super().__init__(dim, FACTOR * margin, epsilon)
"""
SOURCES = {
    "a module": ("mine.Mine", {"mine.py": FORMULA + SCORER.format(imported="")}),
    "a module beside it": ("mine.Mine", {
        "mine.py": SCORER.format(imported="from formulas import FACTOR\n"), "formulas.py": FORMULA}),
    "a module that that imports": ("mine.Mine", {
        "mine.py": SCORER.format(imported="import more\nFACTOR = more.FACTOR\n"),
        "more.py": "from formulas import FACTOR\n", "formulas.py": FORMULA}),
    "a package beside it": ("mine.Mine", {
        "mine.py": SCORER.format(imported="from formulas.deep import FACTOR\n"), "formulas/deep.py": FORMULA}),
    "a package that offers it": ("mine.Mine", {
        "mine/__init__.py": "from mine.scorer import Mine\n",
        "mine/scorer.py": SCORER.format(imported=FORMULA)}),
    "another module of its package": ("mine.scorer.Mine", {
        "mine/__init__.py": "", "mine/scorer.py": SCORER.format(imported="from .formulas import FACTOR\n"),
        "mine/formulas.py": FORMULA}),
    "a package within its package": ("mine.scorers.scorer.Mine", {
        "mine/__init__.py": "", "mine/scorers/__init__.py": "", "mine/formulas.py": FORMULA,
        "mine/scorers/scorer.py": SCORER.format(imported="from ..formulas import FACTOR\n")}),
    "a folder without __init__.py": ("mine.scorer.Mine", {
        "mine/scorer.py": SCORER.format(imported="from mine.formulas import FACTOR\n"), "mine/formulas.py": FORMULA}),
}  # fmt: skip


def write_sources(folder, kind):
    """The files of a scorer; gives the setting that chooses it, and the file that holds its number."""
    target, files = SOURCES[kind]
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)
    (formula,) = [folder / name for name, text in files.items() if FORMULA in text]
    return f"scorer._target_={target}", formula


AFTER = [("finished", kind) for kind in SOURCES]
AFTER += [("killed", "a module beside it"), ("killed", "a package that offers it")]


@pytest.mark.faults
@pytest.mark.parametrize(("state", "kind"), AFTER)
def test_code_that_changes(tmp_path, ledger, state, kind):
    """code of one's own that changes after a run or a kill."""
    write_graph(tmp_path / "graph")
    scorer, formula = write_sources(tmp_path, kind)
    command = (*ROTATE, scorer)
    if state == "finished":
        status, printed = told(tmp_path, *command)
        assert status == 0, printed
    else:
        assert start(tmp_path, command, At("training step", 4)).wait() == -9
    rewrite(formula.name, text=lambda text: text.replace("FACTOR = 1.0", "FACTOR = 2.0"))(formula.parent)
    ledger.injected()
    check_of_the_data_there(tmp_path, command, told(tmp_path, *command), ledger)


LONGER = ("trainer.max_epochs=3",)
STARTS = {
    "the best": ("init_from=first",),
    "the last alone": ("init_from=first", "protocol.select=last_epoch"),
    "its file": ("init_from=first/checkpoints/best.ckpt",),
    "to go on": ("resume=first",),
    "to go on from its file": ("resume=first/checkpoints/best.ckpt",),
    "to go on from its checkpoints": ("resume=first/checkpoints",),
}


@pytest.mark.faults
@pytest.mark.parametrize("kind", list(STARTS))
@pytest.mark.parametrize("change", ["another", "none"])
def test_runs_that_training_starts_from(tmp_path, ledger, kind, change):
    """a run that training starts from, which changes or goes."""
    write_graph(tmp_path / "graph")
    named, *options = STARTS[kind]
    command = (*ROTATE, *options, *LONGER, named)
    first = (*ROTATE, *options, "run_dir=first")
    assert told(tmp_path, *first)[0] == 0
    status, printed = told(tmp_path, *command)
    assert status == 0, printed
    shutil.rmtree(tmp_path / "first")
    if change == "another":
        rewrite("train.tsv", lines=lambda lines: lines[::-1])(tmp_path / "graph")
        assert told(tmp_path, *first)[0] == 0
        rewrite("train.tsv", lines=lambda lines: lines[::-1])(tmp_path / "graph")
    ledger.injected()
    check_of_the_data_there(tmp_path, command, told(tmp_path, *command), ledger)
