"""One host for the tests of a module."""

import pytest

from caimi.inference.wasm.host import ModuleHost


@pytest.fixture(scope="module")
def host():
    with ModuleHost() as made:
        yield made
