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
