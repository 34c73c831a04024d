"""Prints how many inputs Hypothesis has made."""

from properties.counting import TRIED


def pytest_terminal_summary(terminalreporter):
    if not TRIED:
        return
    terminalreporter.section("generated inputs")
    for kind, number in [*sorted(TRIED.items()), ("all", sum(TRIED.values()))]:
        terminalreporter.write_line(f"{kind:<64}{number:>9}")
