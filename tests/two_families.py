"""An EVM ledger behind a node's address, and one in memory, joined; people have a key on each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

import word_family
from caimi.client.keyring import Identity, Keyring
from caimi.composition.joining import join_ledgers
from caimi.config import load_config
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.machine.administration import MachineAdministered
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Committee, LedgerId
from embedded_node import node_of
from memory_ledger import MemoryChain

EVM: Final = LedgerId("eip155:31337")
FAR: Final = LedgerId("local:far")
COINS: Final = 1000 * 10**18
FAR_SECTION: Final = f'[[ledgers]]\nid = "{FAR}"\nname = "far"\nfamily = "word"\n'


@dataclass(frozen=True)
class TwoFamilies:
    """Both ledgers, the client of each, the configuration that names them, and the people."""

    config: Path
    evm: EvmLedger
    far: MachineLedger
    chain: MemoryChain
    clients: dict[LedgerId, str]
    people: dict[str, Identity]

    @property
    def ledgers(self) -> dict[LedgerId, EvmLedger | MachineLedger]:
        return {EVM: self.evm, FAR: self.far}


@contextmanager
def two_families(
    folder: Path, monkeypatch: pytest.MonkeyPatch, names: Sequence[str], committee: Committee
) -> Iterator[TwoFamilies]:
    """Make keys for some names, and the ledgers, which believe a committee of one another."""
    monkeypatch.setenv("CAIMI_PASSPHRASE", "correct horse")
    word_family.install(folder / "installed", monkeypatch)
    config = folder / "caimi.toml"
    config.write_text(FAR_SECTION)  # which says what kinds of keys there are
    keyring = Keyring(load_config(config))
    people = {name: keyring.new(name) for name in names}
    rich = LocalSigner.generate()
    chain = MemoryChain("far", clock=int(time.time()), work_price=1)
    monkeypatch.setitem(word_family.CHAINS, FAR, chain)
    for word in (each.account(FAR).native for each in people.values()):
        chain.book.keys[word] = word_family.BOOK.keys[word]
    owners = [rich.account, *(each.signer.account for each in people.values())]
    node = EmbeddedChain(31337, dict.fromkeys(owners, COINS))

    async def join() -> tuple[EvmLedger, MachineLedger, tuple[str, str]]:
        connection, far = embedded_chain(node), MachineLedger(chain)
        evm = EvmLedger(connection, await deploy(connection, rich))
        ends = EvmAdministered(evm, rich), MachineAdministered(far, chain.admin)
        return evm, far, await join_ledgers(*ends, committee)

    evm, far, clients = asyncio.run(join())
    with node_of(node) as url:
        contracts = evm.deployment.contracts.items()
        config.write_text(
            f'[[ledgers]]\nid = "{EVM}"\nname = "evm"\nrpc = "{url}"\nfinality = "depth:0"\n'
            f"deployed_at = {evm.deployed_at}\n[ledgers.contracts]\n"
            + "".join(f'{name} = "0x{address.hex()}"\n' for name, address in contracts)
            + FAR_SECTION
        )
        yield TwoFamilies(
            config, evm, far, chain, dict(zip((EVM, FAR), clients, strict=True)), people
        )
