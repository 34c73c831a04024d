"""Build the wheel, install it into an empty environment, and run it from an empty folder: `make wheel-test`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path) -> None:
    print("$", *(Path(c).name if i == 0 else c for i, c in enumerate(command)), flush=True)
    subprocess.run([str(c) for c in command], cwd=cwd, check=True, env=os.environ | {"OMP_NUM_THREADS": "2"})


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheels, environment, elsewhere = folder / "wheels", folder / "env", folder / "elsewhere"
        elsewhere.mkdir()
        run(sys.executable, "-m", "build", "--wheel", "--outdir", wheels, REPOSITORY, cwd=folder)
        (wheel,) = wheels.glob("*.whl")
        venv.create(environment, with_pip=True)
        run(environment / "bin" / "pip", "install", "--quiet", wheel, cwd=elsewhere)
        dhns = environment / "bin" / "dhns"
        run(dhns, "--version", cwd=elsewhere)
        run(dhns, "data", "stats", cwd=elsewhere)
        run(dhns, "train", "experiment=demo", "model=rotate", "trainer.max_epochs=5", cwd=elsewhere)
        run(dhns, "compare", cwd=elsewhere)
    print("the wheel works from any folder")


if __name__ == "__main__":
    main()
