"""What every test of nodes begins with."""

from weakref import WeakSet

import pytest

from caimi.tls import contexts


@pytest.fixture(autouse=True)
def holding_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read nothing again that earlier tests left, as what a failed one's traceback keeps."""
    monkeypatch.setattr(contexts, "_held", WeakSet())
