"""An undisturbed run of each system, and the count of faults that is printed at the end."""

import shutil
from collections import Counter

import pytest

from faults.injection import Count
from faults.runs import check_whole, counts, run

INJECTED, SURVIVED, REFUSED = Counter(), Counter(), Counter()


class Ledger:
    """What became of each fault; one that is entered as neither is something else, which must not be."""

    def __init__(self, kind):
        self.kind = kind

    def injected(self, number=1):
        INJECTED[self.kind] += number

    def survived(self, number=1):
        """The same command was started again, and ended in the numbers of a run that was not disturbed."""
        SURVIVED[self.kind] += number

    def refused(self):
        """One clear error, and nothing lost."""
        REFUSED[self.kind] += 1


@pytest.fixture
def ledger(request):
    """Counts under the first line of what the test says of itself."""
    return Ledger(request.function.__doc__.splitlines()[0].rstrip("."))


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The folder of an undisturbed run of a system, and how often it reached each point."""
    done = {}

    def get(system):
        if system not in done:
            folder = tmp_path_factory.mktemp("undisturbed")
            status, printed = run(folder, system, Count(folder / "counts.json"))
            assert status == 0, printed
            check_whole(folder / "run")
            done[system] = folder / "run", counts(folder / "counts.json")
        return done[system]

    yield get
    for folder, _ in done.values():
        shutil.rmtree(folder.parent)


def pytest_terminal_summary(terminalreporter):
    if not INJECTED:
        return
    terminalreporter.section("faults")
    rows = [(kind, INJECTED[kind], SURVIVED[kind], REFUSED[kind]) for kind in INJECTED]
    rows.append(("all", *(sum(row[column] for row in rows) for column in (1, 2, 3))))
    terminalreporter.write_line(f"{'':<72}{'injected':>9}{'survived':>9}{'clear error':>12}{'else':>6}")
    for kind, injected, survived, refused in rows:
        rest = injected - survived - refused
        terminalreporter.write_line(f"{kind:<72}{injected:>9}{survived:>9}{refused:>12}{rest:>6}")
