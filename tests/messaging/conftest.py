"""The world that messaging tests live in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two ledgers and three validators, of whom two suffice."""
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def archived(tmp_path: Path) -> Iterator[World]:
    """The same, of ledgers that show what is past."""
    made = World(tmp_path, keeps_past=True)
    yield made
    made.close()
