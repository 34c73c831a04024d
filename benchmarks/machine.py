"""What figures depend on besides the program: the machine, versions, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from benchmarks.driver import REPOSITORY
from dhns.results.store import versions

PEERS = ("pykeen", "torch", "numpy")


def describe_machine() -> dict[str, Any]:
    """Processor, cores that may be used, and threads that torch uses."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": _processor(), "cores": cores, "threads": torch.get_num_threads(), "system": platform.system()}


def load_before() -> float | None:
    """Mean number of busy processes in the last minute: anything above zero disturbs the figures."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def all_versions(peers_python: str) -> dict[str, dict[str, str]]:
    """Of the packages of the project, and of those of the peers in their environment."""
    code = "import sys\nfrom importlib.metadata import version\nfor name in sys.argv[1:]: print(version(name))"
    try:
        found = subprocess.run([peers_python, "-c", code, *PEERS], capture_output=True, text=True, check=True)
        numbers = found.stdout.split()
    except (OSError, subprocess.CalledProcessError):
        numbers = ["not installed"] * len(PEERS)
    return {"project": versions(), "peers": dict(zip(PEERS, numbers, strict=True))}


def commit() -> str:
    """Short hash of the checkout, with ``-dirty`` if tracked files differ from it; ``unknown`` without git."""
    try:
        head = _git("rev-parse", "--short=8", "HEAD")
        return f"{head}-dirty" if _git("status", "--porcelain", "--untracked-files=no") else head
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    found = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return found.stdout.strip()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
