"""Whom a configuration believes: what alone may answer is never asked without TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from caimi.composition.trust import Trust
from caimi.config import Config, TlsSection
from caimi.errors.operations import ConfigInvalid
from organisations import Organisation


def test_whom_alone_a_url_may_be_is_never_asked_in_plain_http(tmp_path: Path) -> None:
    ours = Organisation(tmp_path, "Ours")
    trust = Trust(Config(tls=TlsSection(trust=[str(ours.trust)])))
    assert trust.of("http://127.0.0.1:9001") is None
    assert trust.of("HTTPS://127.0.0.1:9001") is not None
    with pytest.raises(ConfigInvalid, match="is not https"):
        trust.of("http://127.0.0.1:9001", str(ours.trust))
