"""Build the wheel, install it into empty environments, and run it from an empty folder: `make wheel-test`.

Every Python that is promised is tried if this machine has it. The running one gets all that the project needs. So does
another one where pip finds a torch for it in a folder (PIP_FIND_LINKS), as PyPI's is a CUDA build of gigabytes. If not,
the wheel alone is installed, and has to compile and to say what the program can do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pythons import CURRENT, REPOSITORY, find, promised

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "2"}


def run(*command: str | Path, cwd: Path) -> None:
    print("$", *(Path(c).name if i == 0 else c for i, c in enumerate(command)), flush=True)
    subprocess.run([str(c) for c in command], cwd=cwd, check=True, env=ENVIRONMENT)


def try_wheel(python: Path, wheel: Path, folder: Path, full: bool) -> str:
    """What the wheel does in an environment of this interpreter.

    Raises:
        CalledProcessError: it does not.
    """
    environment, elsewhere = folder / "env", folder / "elsewhere"
    elsewhere.mkdir(parents=True)
    run(python, "-m", "venv", environment, cwd=folder)
    pip, dhns = environment / "bin" / "pip", environment / "bin" / "dhns"
    run(pip, "install", "--quiet", "--no-deps", wheel, cwd=elsewhere)
    run(environment / "bin" / "python", "-m", "compileall", "-q", environment / "lib", cwd=elsewhere)
    run(dhns, "--help", cwd=elsewhere)
    if not (full or has_torch(pip)):
        return "starts; torch is not at hand (PIP_FIND_LINKS=folder of its wheel), so nothing was trained"
    run(pip, "install", "--quiet", wheel, cwd=elsewhere)
    run(dhns, "--version", cwd=elsewhere)
    run(dhns, "data", "stats", cwd=elsewhere)
    run(dhns, "train", "experiment=demo", "model=rotate", "trainer.max_epochs=5", cwd=elsewhere)
    run(dhns, "compare", cwd=elsewhere)
    return "works from any folder"


def has_torch(pip: Path) -> bool:
    """Whether pip can install the pinned torch without asking an index."""
    command = [pip, "install", "--quiet", "--dry-run", "--no-index", "--no-deps", "torch"]
    return subprocess.run(command, capture_output=True, env=ENVIRONMENT).returncode == 0


def main() -> None:
    outcomes = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, REPOSITORY, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        for version in promised():
            python = find(version)
            if python is None:
                outcomes[version] = "was not found on this machine"
            else:
                outcomes[version] = try_wheel(python, wheel, folder / version, full=version == CURRENT)
    for version, outcome in outcomes.items():
        print(f"Python {version}: {outcome}")


if __name__ == "__main__":
    main()
