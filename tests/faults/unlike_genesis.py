"""Where the unlike ledger begins: joined to EVM ledgers, with people and one model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from caimi.chains import InteroperableAddress
from caimi.contracts.committees import KnownCommittee
from caimi.ledgers.machine.calls import read, sign
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Account, Committee, LedgerId, Price
from faults.chain import START
from faults.unlike_chain import wallet
from memory_ledger import MemoryChain

_NAME: Final = "c"
UNLIKE: Final = LedgerId(f"local:{_NAME}")
UNLIKE_CLIENTS: Final = f"caimi-local.{_NAME}"
_MODEL: Final = "model-0"
_BLOCKS: Final = 12


@dataclass(frozen=True, slots=True)
class Joined:
    """A ledger that the unlike one has a route to, and that one's client of it."""

    ledger: LedgerId
    gateway: bytes
    client: str
    committee: Committee


@dataclass(frozen=True, slots=True)
class Words:
    """Where its contracts are."""

    contracts: Mapping[str, bytes]

    @classmethod
    def of(cls) -> Words:
        """Give the words that they are."""
        return cls({name: name.encode() for name in ("gateway", "registry", "bridge", "market")})


def empty() -> MachineLedger:
    """Give the ledger before anything is there: what it is called, and its gateway."""
    return MachineLedger(MemoryChain(_NAME))


def beginning(
    joined: Sequence[Joined], people: Iterable[str], owner: str, prices: Sequence[Price]
) -> MemoryChain:
    """Make the ledger as every schedule finds it; its model is sold at `prices`."""
    chain = MemoryChain(_NAME, clock=START, keeps_past=True)
    for name in people:
        chain.book.enrol(wallet(name))
    for place, each in enumerate(joined):
        word, said = b"client" + bytes([ord("a") + place]), each.committee
        known = KnownCommittee(said.epoch, said.threshold, said.members, said.operators)
        chain.begin("add client", word, each.gateway, known)
        ledger = InteroperableAddress.from_caip(each.ledger).to_bytes()
        client = chain.begin("add route", word, ledger)
        assert client == f"{UNLIKE_CLIENTS}-{place}"
        chain.begin("set counterparty", client, each.client)
    ledger = MachineLedger(chain)
    publish = ledger.registry.publish(_MODEL, "1.0.0", bytes(31) + b"\x01")
    for call in (publish, ledger.market.set_prices(model_of(owner), prices)):
        signed = sign(call, wallet(owner), _BLOCKS, chain.accounts, salt=bytes(16))
        chain.take(read(signed, chain.accounts))
    chain.advance(blocks=_BLOCKS)
    return chain


def model_of(owner: str) -> bytes:
    """Give the id of the one model that is at home there."""
    return empty().registry.model_id(Account(UNLIKE, wallet(owner).account), _MODEL)
