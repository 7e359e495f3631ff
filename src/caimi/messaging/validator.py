"""The validator's role: sign what its own view of a ledger shows to be final, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from caimi.errors.base import CaimiError
from caimi.errors.messaging import (
    AlreadySignedOtherwise,
    EndpointsDisagree,
    NotFinal,
    NotFollowed,
    RangeTooLarge,
    ReceivedAfterAll,
    SigningStopped,
    TooFewEndpoints,
)
from caimi.ibc.statements import Kind
from caimi.ledgers.port import AttestationKey, Block, Committee, Ledger, LedgerId
from caimi.logs import about, logger
from caimi.messaging.checkpoint import Attestation
from caimi.messaging.pinning import Pinning
from caimi.messaging.proof import Tree, absence_facts, statement_of
from caimi.messaging.reading import MAX_FACTS, read_tree
from caimi.messaging.signed_store import SignedStore
from caimi.messaging.witnesses import Witnesses

__all__ = ["MAX_ABSENCES", "MAX_BLOCKS", "MAX_FACTS", "Validator", "read_tree"]

_log = logger(__name__)
MAX_BLOCKS: Final = 10_000
MAX_ABSENCES: Final = 1_000
_ALARMING = (EndpointsDisagree, AlreadySignedOtherwise)


def log_alarm(ledger: LedgerId, error: CaimiError) -> None:
    """Write an alarm to the log."""
    with about(ledger=ledger):
        _log.critical("%s: %s", ledger, error)


class Validator:
    """A member of `committee` that follows `ledgers` on its own connections.

    Several endpoints of a ledger come as `Witnesses`. Anyone may ask it for attestations: they are
    statements about public facts. How many at a time is for whoever passes questions on. `alarm`
    is told when what it sees of a ledger contradicts itself or what was signed before: a person
    must look.
    """

    def __init__(
        self,
        signer: AttestationKey,
        committee: Committee,
        ledgers: Mapping[LedgerId, Ledger | Witnesses],
        signed: SignedStore,
        *,
        alarm: Callable[[LedgerId, CaimiError], None] = log_alarm,
    ) -> None:
        self._signer = signer
        self._committee = committee
        self._ledgers = {
            name: each if isinstance(each, Witnesses) else Witnesses.of(each)
            for name, each in ledgers.items()
        }
        self._signed = signed
        self._alarm = alarm

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
            EndpointsDisagree, TooFewEndpoints: its nodes contradict each other, or too few answer.
            LedgerReorganised: the ledger changed below its finality; signing stops.
            SigningStopped: it did before, and the operator has not cleared it.
            AlreadySignedOtherwise: its nodes contradict what was signed before.
        """
        source = self._followed(ledger)
        if not 0 <= from_height < height <= from_height + MAX_BLOCKS:
            raise RangeTooLarge(
                f"Blocks ({from_height}, {height}] are not 1 to {MAX_BLOCKS} blocks."
            )
        with self._alarming(ledger):
            pinning = Pinning(source, self._signed)
            pin = await pinning.newest(height)
            seen = await source.read_range(from_height, height, None if pin is None else pin.height)
            await pinning.check(pin, seen.pinned)
            reading = seen.what
            return await self._sign(
                source,
                Kind.CHECKPOINT,
                from_height,
                reading.block,
                reading.tree,
                reading.contents,
            )

    async def attest_absence(
        self, ledger: LedgerId, height: int, packets: Sequence[tuple[str, int]]
    ) -> Attestation:
        """Attest that `ledger` had received none of `packets` at `height`.

        Each is (destination client, sequence).

        Raises:
            NotFollowed, NotFinal, AlreadySignedOtherwise…: as `attest`.
            RangeTooLarge: no packets, more than `MAX_ABSENCES`, or a sequence that cannot be.
            ReceivedAfterAll: one was received.
        """
        source = self._followed(ledger)
        if not 0 < len(packets) <= MAX_ABSENCES:
            raise RangeTooLarge(f"{len(packets)} packets are not 1 to {MAX_ABSENCES}.")
        if any(not 0 < sequence < 1 << 64 for _, sequence in packets):
            raise RangeTooLarge("Sequences are from 1 to 2**64 - 1.")
        with self._alarming(ledger):
            pinning = Pinning(source, self._signed)
            pin = await pinning.newest(height)
            seen = await source.read_receipts(height, packets, None if pin is None else pin.height)
            await pinning.check(pin, seen.pinned)
            block, received = seen.what
            for (client, sequence), present in zip(packets, received, strict=True):
                if present:
                    raise ReceivedAfterAll(
                        f"Packet {sequence} for {client} was received on {ledger}."
                    )
            tree = Tree.of(absence_facts(packets))
            return await self._sign(source, Kind.ABSENCE, height, block, tree, {})

    async def look_back(self) -> None:
        """Check that the newest block signed of each ledger still has the hash it had.

        A ledger that changed below its finality stops being signed, before anyone asks for the
        changed blocks. Nodes that do not answer, or lag, are waited for.

        Raises:
            SignedStoreDamaged: the record cannot be read.
        """
        await asyncio.gather(*(self._look_back_at(*each) for each in self._ledgers.items()))

    async def _look_back_at(self, name: LedgerId, source: Witnesses) -> None:
        try:
            with self._alarming(name):
                pinning = Pinning(source, self._signed)
                pin = await pinning.newest()
                if pin is not None:
                    block = await source.block(pin.height)
                    await pinning.check(pin, block.hash)
        except (NotFinal, TooFewEndpoints, SigningStopped, *_ALARMING) as error:
            with about(ledger=name):
                _log.info("%s: %s", name, error)

    async def stopped(self) -> dict[LedgerId, str]:
        """Tell which ledgers are not signed any more, and why."""
        found = {}
        for name, source in self._ledgers.items():
            why = await asyncio.to_thread(self._signed.stopped, source.origin)
            if why is not None:
                found[name] = why
        return found

    def _followed(self, ledger: LedgerId) -> Witnesses:
        if ledger not in self._ledgers:
            raise NotFollowed(f"This validator does not follow {ledger}.")
        return self._ledgers[ledger]

    @contextmanager
    def _alarming(self, ledger: LedgerId) -> Iterator[None]:
        try:
            yield
        except _ALARMING as error:
            self._alarm(ledger, error)
            raise

    async def _sign(
        self,
        source: Witnesses,
        kind: Kind,
        from_height: int,
        block: Block,
        tree: Tree,
        contents: Mapping[int, bytes],
    ) -> Attestation:
        blocks = (from_height, block.height)
        statement = statement_of(kind, source.origin, self._committee, blocks, block.time, tree)
        # On disk first: dying between the two is harmless.
        await asyncio.to_thread(self._signed.remember, statement, block.hash, contents)
        # The key may be in another machine.
        signature = await asyncio.to_thread(self._signer.sign_digest, statement.digest)
        return Attestation(statement, signature)
