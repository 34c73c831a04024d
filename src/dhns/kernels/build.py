"""Compiles the C sources of this package on first use, for the processor of this machine."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)

_FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fopenmp")
# sums may be reordered, or loops could not be vectorised; NaN and infinity keep their meaning. -ffast-math would also
# switch denormal numbers off for the whole process.
_MATH = ("-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math")
_MACHINES: tuple[tuple[str, ...], ...] = (("-march=native", "-mprefer-vector-width=512"), ("-march=native",), ())


@functools.cache
def library(name: str) -> ctypes.CDLL | None:
    """The compiled ``<name>.c`` of this folder, or None, said once in the log, where no C compiler works.

    It is kept in the user's cache folder under a name made of the source, the flags, the compiler and the processor.
    """
    source = Path(__file__).with_name(f"{name}.c")
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        log.warning("no C compiler is installed (or CC is not set): %s runs in plain torch, several times slower", name)
        return None
    failures = []
    for machine in _MACHINES:
        command = [*compiler.split(), *_FLAGS, *_MATH, *machine]
        try:
            return ctypes.CDLL(str(_compiled(source, command)))
        except (OSError, subprocess.SubprocessError) as error:
            failures.append(getattr(error, "stderr", None) or str(error))
    log.warning("%s runs in plain torch, several times slower, as %s failed: %s", name, compiler, failures[-1].strip())
    return None


def _compiled(source: Path, command: list[str]) -> Path:
    text = source.read_bytes()
    identity = hashlib.sha256(b"\0".join([text, " ".join(command).encode(), _processor().encode()])).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "dhns"
    target = folder / f"{source.stem}-{identity}.so"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # several processes may compile at once: each writes a file of its own, and the last rename wins
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        built = Path(scratch) / target.name
        arguments = [*command, str(source), "-o", str(built), "-lm"]
        subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=120)
        built.replace(target)
    return target


def _processor() -> str:
    """What tells processors apart that share a home folder: code for one may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(dict.fromkeys(line for line in lines if line.startswith(("model name", "flags", "Features"))))
