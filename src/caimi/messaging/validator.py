"""The validator's role: sign what its own view of a ledger shows to be final, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from caimi.errors.messaging import (
    EventsMissing,
    NotFinal,
    NotFollowed,
    RangeTooLarge,
    ReceivedAfterAll,
)
from caimi.hashing import keccak256
from caimi.ledgers.port import Block, Committee, Gateway, Ledger, LedgerId, SentPacket, Signer
from caimi.messaging.checkpoint import Attestation, Kind
from caimi.messaging.proof import Tree, absence_facts, block_fact, range_facts, statement_of
from caimi.messaging.signed_store import SignedStore

MAX_BLOCKS: Final = 10_000
MAX_ABSENCES: Final = 1_000
MAX_FACTS: Final = 65_536
_READ_BLOCKS: Final = 500
# Anyone may ask: what all questions together cost in memory, and the node, is bounded.
_QUESTIONS_AT_ONCE: Final = 16


async def read_tree(gateway: Gateway, from_height: int, block: Block) -> Tree:
    """Read the tree of the blocks after `from_height` up to `block` off a ledger.

    A pure function of the ledger: what was sent and written in these blocks, and `block`'s hash.

    Raises:
        RangeTooLarge: it holds more than `MAX_FACTS` packets and acknowledgements.
        EventsMissing: the node leaves out a packet between two others.
    """
    height = block.height
    facts = [block_fact(block)]
    newest: dict[str, int] = {}
    # Of one piece after another only the hashes are kept: packets may be large.
    for start in range(from_height, height, _READ_BLOCKS):
        end = min(start + _READ_BLOCKS, height)
        sent, written = await asyncio.gather(gateway.sent(start, end), gateway.written(start, end))
        _check_gapless(sent, newest)
        facts += await asyncio.to_thread(range_facts, sent, written)
        if len(facts) > MAX_FACTS:
            raise RangeTooLarge(
                f"Blocks ({from_height}, {height}] hold more than {MAX_FACTS} packets and "
                "acknowledgements."
            )
    return await asyncio.to_thread(Tree.of, facts)


def _check_gapless(sent: Sequence[SentPacket], newest: dict[str, int]) -> None:
    """Check that each client's packets count up by one (ICS-04 v2), from `newest` on."""
    for entry in sent:
        client, sequence = entry.packet.source_client, entry.packet.sequence
        expected = newest.get(client, sequence - 1) + 1
        if sequence != expected:
            raise EventsMissing(f"Packet {sequence} of {client} came instead of {expected}.")
        newest[client] = sequence


class Validator:
    """A member of `committee` that follows `ledgers` on its own connections.

    Anyone may ask it for attestations: they are statements about public facts.
    """

    def __init__(
        self,
        signer: Signer,
        committee: Committee,
        ledgers: Mapping[LedgerId, Ledger],
        signed: SignedStore,
    ) -> None:
        self._signer = signer
        self._committee = committee
        self._ledgers = ledgers
        self._signed = signed
        self._turns = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

    @property
    def account(self) -> bytes:
        """The account it signs with."""
        return self._signer.account

    async def attest(self, ledger: LedgerId, from_height: int, height: int) -> Attestation:
        """Attest the packets and acknowledgements in blocks (from_height, height] of `ledger`.

        Raises:
            NotFollowed: the ledger is not followed.
            RangeTooLarge: more than `MAX_BLOCKS` blocks or `MAX_FACTS` packets and
                acknowledgements, or an empty or backward range.
            NotFinal: `height` is not final in this validator's view.
            EventsMissing: this validator's node leaves out a packet.
            AlreadySignedOtherwise: the ledger changed below its finality.
        """
        source = self._followed(ledger)
        if not 0 <= from_height < height <= from_height + MAX_BLOCKS:
            raise RangeTooLarge(
                f"Blocks ({from_height}, {height}] are not 1 to {MAX_BLOCKS} blocks."
            )
        async with self._turns:
            await self._check_final(source, height)
            block = await source.block(height)
            tree = await read_tree(source.gateway, from_height, block)
            return await self._sign(source, Kind.CHECKPOINT, from_height, block, tree)

    async def attest_absence(
        self, ledger: LedgerId, height: int, packets: Sequence[tuple[str, int]]
    ) -> Attestation:
        """Attest that `ledger` had received none of `packets` at `height`.

        Each is (destination client, sequence).

        Raises:
            NotFollowed, NotFinal, AlreadySignedOtherwise: as `attest`.
            RangeTooLarge: no packets, more than `MAX_ABSENCES`, or a sequence that cannot be.
            ReceivedAfterAll: one was received.
        """
        source = self._followed(ledger)
        if not 0 < len(packets) <= MAX_ABSENCES:
            raise RangeTooLarge(f"{len(packets)} packets are not 1 to {MAX_ABSENCES}.")
        if any(not 0 < sequence < 1 << 64 for _, sequence in packets):
            raise RangeTooLarge("Sequences are from 1 to 2**64 - 1.")
        async with self._turns:
            await self._check_final(source, height)
            received = await source.gateway.receipts(packets, at=height)
            for (client, sequence), present in zip(packets, received, strict=True):
                if present:
                    raise ReceivedAfterAll(
                        f"Packet {sequence} for {client} was received on {ledger}."
                    )
            tree = Tree.of(absence_facts(packets))
            block = await source.block(height)
            return await self._sign(source, Kind.ABSENCE, height, block, tree)

    def _followed(self, ledger: LedgerId) -> Ledger:
        if ledger not in self._ledgers:
            raise NotFollowed(f"This validator does not follow {ledger}.")
        return self._ledgers[ledger]

    async def _check_final(self, source: Ledger, height: int) -> None:
        final = await source.finalized()
        if height > final.height:
            raise NotFinal(f"Block {height} of {source.id} is not final; {final.height} is.")

    async def _sign(
        self, source: Ledger, kind: Kind, from_height: int, block: Block, tree: Tree
    ) -> Attestation:
        blocks = (from_height, block.height)
        statement = statement_of(
            kind, keccak256(source.gateway.address), self._committee, blocks, block.time, tree
        )
        await asyncio.to_thread(self._signed.remember, statement)
        return Attestation(statement, self._signer.sign_digest(statement.digest))
