"""The example's family, found as if its distribution were installed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import sqlite_ledger

EXAMPLE = Path(sqlite_ledger.__file__).parents[1]


def offer_example(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write down in a folder what the distribution offers, and have it looked at."""
    said = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    about = folder / "offered" / "caimi_sqlite_ledger-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {said['name']}\nVersion: 1\n")
    groups = [
        "\n".join((f"[{group}]", *(f"{name} = {value}" for name, value in offered.items())))
        for group, offered in said["entry-points"].items()
    ]
    (about / "entry_points.txt").write_text("\n".join(groups))
    monkeypatch.syspath_prepend(str(about.parent))
