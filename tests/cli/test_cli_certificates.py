"""`caimi certificates`: what is shown before it is signed, and what is not written over."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.tls.certificates import read_certificates


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    assert caimi(tmp_path, "authority", "Ours")["kind"] == "authority"
    return tmp_path


def caimi(folder: Path, *words: str) -> dict[str, Any]:
    with contextlib.chdir(folder):
        output = CliRunner().invoke(app, ["certificates", *words, "--json"]).output
    answer: dict[str, Any] = json.loads(output)
    return answer


def request(folder: Path, *words: str) -> dict[str, Any]:
    return caimi(folder, "request", *words)


def test_what_is_asked_for_is_shown_and_signed_once_somebody_agrees(here: Path) -> None:
    asked = request(here, "node-1", "--organisation", "Ours", "--host", "Node-1.example.org")
    assert asked["ok"]
    planned = caimi(here, "sign", "node-1.csr", "--plan")["plan"]
    assert planned["hosts"] == "node-1.example.org"
    assert not (here / "node-1.pem").exists()
    assert caimi(here, "sign", "node-1.csr")["ok"] is False  # nobody was there to agree
    assert not (here / "node-1.pem").exists()
    signed = caimi(here, "sign", "node-1.csr", "--yes", "--days", "10")
    assert signed["hosts"] == ["node-1.example.org"]
    (shown,) = caimi(here, "show", "node-1.pem")["certificates"]
    assert shown["fingerprint"] == signed["fingerprint"]
    assert caimi(here, "show", "node-1.csr")["certificates"][0]["kind"] == "request"


def test_a_certificate_is_renewed_only_when_that_is_said(here: Path) -> None:
    request(here, "relayer", "--organisation", "Ours")
    key = (here / "relayer.key").read_bytes()
    first = caimi(here, "sign", "relayer.csr", "--yes")
    refused = caimi(here, "sign", "relayer.csr", "--yes")["error"]
    assert refused["code"] == "CAIMI-T008"
    assert "--replace" in refused["next"]
    again = caimi(here, "sign", "relayer.csr", "--yes", "--replace")
    assert again["fingerprint"] != first["fingerprint"]
    request(here, "relayer", "--organisation", "Ours")
    assert (here / "relayer.key").read_bytes() == key


def test_how_long_it_lasts_is_said_once_and_shown(here: Path) -> None:
    request(here, "brief", "--organisation", "Ours")
    sign = ("sign", "brief.csr", "--yes", "--replace")
    for words, shown in (((), "397d"), (("--days", "10"), "10d"), (("--lasts", "90s"), "1m 30s")):
        assert caimi(here, *sign, "--plan", *words)["plan"]["lasts"] == shown
    assert caimi(here, *sign, "--lasts", "90s")["ok"]
    own = read_certificates(here / "brief.pem")[0]
    left = (own.not_valid_after_utc - datetime.now(UTC)).total_seconds()
    assert 60 < left <= 90
    for words in (("--days", "1", "--lasts", "90s"), ("--lasts", "soon"), ("--lasts", "3651d")):
        assert caimi(here, *sign, *words)["error"]["code"] == "CAIMI-C020"


def test_what_cannot_be_done_is_named(here: Path) -> None:
    request(here, "x", "--organisation", "Theirs")
    assert caimi(here, "sign", "x.csr", "--yes")["error"]["code"] == "CAIMI-T007"
    assert caimi(here, "sign", "none.csr", "--yes")["error"]["code"] == "CAIMI-T007"
    assert caimi(here, "show", "none.pem")["error"]["code"] == "CAIMI-T001"
    assert caimi(here, "authority", "Ours")["error"]["code"] == "CAIMI-T006"
    unsafe = request(here, "../x", "--organisation", "Ours")
    assert unsafe["ok"] is False
    for host in ("*.example.org", "a b", "https://a"):
        refused = request(here, "y", "--organisation", "Ours", "--host", host)
        assert refused["error"]["code"] == "CAIMI-T007"
    assert not (here / "y.key").exists()


def test_another_passphrase_than_the_authoritys_signs_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request(here, "relayer", "--organisation", "Ours")
    monkeypatch.setenv("CAIMI_PASSPHRASE", "wrong")
    assert caimi(here, "sign", "relayer.csr", "--yes")["error"]["code"] == "CAIMI-C006"
    assert not (here / "relayer.pem").exists()
