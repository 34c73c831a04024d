"""Ask the package index whether what is pinned installs on every Python that is promised: `make pins`.

uv resolves the project with all its extras. It reads descriptions of packages only, no package is downloaded.
"""

from __future__ import annotations

import os
import subprocess
import sys

from pythons import REPOSITORY, promised

PLATFORMS = {
    "Linux": "x86_64-manylinux_2_28",
    "Linux on ARM": "aarch64-manylinux_2_28",
    "macOS 14 on ARM": "aarch64-apple-darwin",
}
FROM_SOURCE = ("antlr4-python3-runtime", "sqlalchemy")
"""They have no build, or none for Python 3.13 and later, and their sources install without a compiler."""


def problem(version: str, platform: str) -> str:
    """What uv finds missing for a version and a platform; empty where everything has a build."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-config", "--all-extras"]
    command += ["--constraint", "constraints.txt", "--python-version", version, "--python-platform", platform]
    command += ["--only-binary", ":all:", *(f"--no-binary={name}" for name in FROM_SOURCE), "pyproject.toml"]
    # torch is built for macOS 14 and later
    environment = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
    result = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    return result.stderr.strip() if result.returncode else ""


def main() -> None:
    failed = False
    for version in promised():
        for name, platform in PLATFORMS.items():
            found = problem(version, platform)
            print(f"Python {version}, {name}: {found or 'all pins have a build'}", flush=True)
            failed |= bool(found)
    sys.exit(failed)


if __name__ == "__main__":
    main()
