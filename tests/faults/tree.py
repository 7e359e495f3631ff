"""Which tree of sources is played, and the seeds that are its own: other ones with each commit."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PLAYED = ("src", "tests/faults")
# The fixed schedules and the campaign's are far below.
_FIRST = 1_000_000_000


def tree_name(root: Path = ROOT) -> str:
    """Give the name of the sources: git's of the commit's tree, or without git one of the files.

    A name of the files is also given where git knows the tree, but files differ from it.
    """
    clean = _git(root, "status", "--porcelain", "--", *_PLAYED) == ""
    tree = _git(root, "rev-parse", "HEAD^{tree}") if clean else None
    if tree:
        return tree
    digest = hashlib.sha256()
    for top in _PLAYED:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".py", ".json") and path.is_file():
                digest.update(path.relative_to(root).as_posix().encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"files-{digest.hexdigest()[:35]}"


def first_seed(name: str) -> int:
    """Give the first of the seeds that are a tree's own."""
    return _FIRST + int.from_bytes(hashlib.sha256(name.encode()).digest()[:5])


def _git(root: Path, *arguments: str) -> str | None:
    """Ask git about `root` itself; None where there is no git, or none of this tree."""
    if not (root / ".git").exists():
        return None
    try:
        asked = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None
