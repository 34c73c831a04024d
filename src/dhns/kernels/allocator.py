"""How memory is taken and given back: without passes over it that nobody needs."""

from __future__ import annotations

import ctypes
import platform

import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # of <malloc.h>
_LARGEST = 2**31 - 1
_STEP = 64 * 2**20


def keep_freed_memory() -> bool:
    """Let the process reuse large blocks of memory instead of returning them to the system; whether that worked.

    By default glibc maps every large tensor anew and unmaps it when freed, and the system clears each page again at its
    first use: up to half the time of a training step on a processor. Peak memory stays about the same, but what was
    used once is not given back before the process ends. Other C libraries are left alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(
        mallopt(option, value) == 1
        for option, value in ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _LARGEST), (_TOP_PAD, _STEP))
    )


def leave_new_memory_as_it_is() -> None:
    """Keep torch's deterministic mode from writing NaN into every new tensor.

    The mode does so to make a program that reads what it never wrote repeatable; for one that does not, it is a pass
    over all memory that a step takes.
    """
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
