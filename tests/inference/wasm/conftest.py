"""One host for the tests of a module."""

import sys
from pathlib import Path

import pytest

from caimi.inference.wasm.hosting.host import ModuleHost

sys.path.insert(0, str(Path(__file__).parents[2] / "models"))


@pytest.fixture(scope="module")
def host():
    with ModuleHost() as made:
        yield made
