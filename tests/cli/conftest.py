from collections.abc import Iterator
from pathlib import Path

import pytest
from payer import Payer, two_ledgers


@pytest.fixture
def payer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Payer]:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    with two_ledgers(tmp_path) as joined:
        yield joined
