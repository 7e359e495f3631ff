"""What only reads asks for no key and no passphrase."""

from __future__ import annotations

import asyncio

import pytest
from payer import Payer

from caimi.client.keyring import Keyring
from caimi.client.network import AsyncNetwork
from caimi.config import load_config
from caimi.errors.operations import KeyMissing
from caimi.ledgers.port import Account


@pytest.fixture
def uri(payer: Payer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Publish a model, and take the keys and the passphrase away."""
    ledger, signer = payer.ledger, Keyring(load_config(payer.config)).open("a").signer
    asyncio.run(ledger.submit(ledger.registry.publish("mine", "1.0.0", b"\x11" * 32), signer))
    for file in (payer.config.parent / "keys").iterdir():
        file.unlink()
    monkeypatch.delenv("CAIMI_PASSPHRASE")
    model = ledger.registry.model_id(Account(ledger.id, signer.account), "mine")
    return f"caimi:{ledger.id}:0x{model.hex()}"


def test_models_are_found_and_their_history_told(payer: Payer, uri: str) -> None:
    (found,) = payer.run("search", "mine")["models"]
    assert found["uri"].startswith(uri)
    assert [each["event"] for each in payer.run("history", uri)["history"]]
    # Its manifest is stored nowhere: that much was read of it.
    assert payer.run("show", uri)["error"]["code"] != "CAIMI-C004"
    assert payer.run("verify", f"{uri}@1.0.0")["ok"] is False


def test_what_acts_says_that_there_is_no_key(payer: Payer, uri: str) -> None:
    async def act() -> None:
        settings = load_config(payer.config)
        async with AsyncNetwork.connect(settings, reading=True) as net:
            await net.deprecate(f"{uri}@1.0.0", "old")

    with pytest.raises(KeyMissing, match="for reading"):
        asyncio.run(act())
