"""A wheel of this tree, and what it needs, for environments that nothing is downloaded into."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_OF_THE_ENVIRONMENT = ("pip", "setuptools", "wheel", "_distutils", "distutils", "__pycache__")


def build_wheel(folder: Path) -> Path:
    """Build the wheel into a folder, without asking any index."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def link_what_is_locked(folder: Path) -> None:
    """Link all that is installed here but this tree itself, and what an environment has."""
    folder.mkdir()
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        name = each.name.lower()
        left_out = each.suffix == ".pth" or name.startswith(_OF_THE_ENVIRONMENT)
        if "caimi" not in name and not left_out:
            (folder / each.name).symlink_to(each)


def write_python(file: Path) -> None:
    """Write a command `python3` that knows nothing of this environment."""
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    file.write_text(f'#!/bin/sh\nexec "{base}" "$@"\n')
    file.chmod(0o755)
