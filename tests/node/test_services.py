"""How services are put together from their settings."""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from caimi.chains import InteroperableAddress
from caimi.composition.ledgers import open_views
from caimi.config import LedgerSection
from caimi.errors.ledgers import LedgerUnavailable
from caimi.errors.operations import UnknownLedger
from caimi.hashing import keccak256
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.deployment import NAMES
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.node.node import Node
from caimi.node.roles.clearing import clear_ledger
from caimi.node.settings import MemberSection, NodeSettings
from caimi.persistence import open_signed_store

LEDGER = LedgerSection(
    id="eip155:31337",
    name="a",
    rpc="http://127.0.0.1:1/key-in-the-path",
    endpoints=["http://127.0.0.1:2/another-key"],
    deployed_at=0,
    contracts={name: f"0x{place:040x}" for place, name in enumerate(NAMES, start=1)},
)
ORIGIN = keccak256(InteroperableAddress(0, (31337).to_bytes(2), (2).to_bytes(20)).to_bytes())


def settings_in(folder: Path, signers: list[LocalSigner]) -> NodeSettings:
    members = [
        MemberSection(
            index=at,
            account=f"0x{signer.account.hex()}",
            public_key=f"0x{signer.private_key.public_key.format().hex()}",
        )
        for at, signer in enumerate(signers, start=1)
    ]
    return NodeSettings(
        index=1, port=1, threshold=2, committee=members, ledgers=[LEDGER], home=folder
    )


@pytest.fixture
def settings(tmp_path: Path) -> NodeSettings:
    made = settings_in(tmp_path, [LocalSigner.generate() for _ in range(3)])
    (tmp_path / "node.toml").write_text(made.dump())
    return made


@pytest.mark.parametrize("name", ["a", "eip155:31337"])
def test_an_operator_clears_a_ledger_whose_signing_stopped(
    settings: NodeSettings, tmp_path: Path, name: str
) -> None:
    store = open_signed_store(None, tmp_path / "signed.sqlite")
    store.stop(ORIGIN, "block 5 was replaced")
    assert clear_ledger(tmp_path / "node.toml", name) == "block 5 was replaced"
    assert store.stopped(ORIGIN) is None
    assert clear_ledger(tmp_path / "node.toml", name) is None
    store.close()


def test_only_a_ledger_of_the_settings_is_cleared(settings: NodeSettings, tmp_path: Path) -> None:
    with pytest.raises(UnknownLedger):
        clear_ledger(tmp_path / "node.toml", "eip155:1")


def test_a_node_attests_with_the_key_of_its_remote_signer(
    settings: NodeSettings, tmp_path: Path
) -> None:
    identity, remote = LocalSigner.generate(), LocalSigner.generate()
    node = Node(settings, identity, {}, secrets.token_bytes(16), attestor=remote)
    assert node.validator.account == remote.account
    assert node.identity()["account"] == f"0x{remote.account.hex()}"


async def test_the_first_endpoint_of_a_ledger_must_answer() -> None:
    async with AsyncExitStack() as stack:
        with pytest.raises(LedgerUnavailable, match=r"127\.0\.0\.1:1 ") as raised:
            await open_views(stack, LEDGER)
    assert "key-in-the-path" not in str(raised.value)


async def test_endpoints_are_named_without_what_their_paths_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def check(ledger: EvmLedger) -> None:
        if ledger.chain.rpc.name.endswith(":2"):
            raise LedgerUnavailable("down")

    monkeypatch.setattr(EvmLedger, "check", check)
    async with AsyncExitStack() as stack:
        views = await open_views(stack, LEDGER)
    assert list(views) == ["endpoint 1 (127.0.0.1:1)", "endpoint 2 (127.0.0.1:2)"]
