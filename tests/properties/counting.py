"""Counts the inputs that Hypothesis makes."""

import functools
from collections import Counter

TRIED = Counter()


def counted(kind):
    """Count the calls of a property under a name."""

    def decorate(check):
        @functools.wraps(check)
        def counting(*arguments, **options):
            TRIED[kind] += 1
            return check(*arguments, **options)

        return counting

    return decorate
