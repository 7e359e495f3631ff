"""Fees that wait at the ledger that sends, for the relayer who carries their packets."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from caimi.ledgers.past import at_final
from caimi.ledgers.port import Account, Block, Ledger, RelayFee, Route, WrittenAcknowledgement
from caimi.messaging.entries import EarnedFee

_AGAIN_BLOCKS: Final = 256
Answers = Mapping[tuple[str, int], WrittenAcknowledgement]


@dataclass(slots=True)
class WaitingFees:
    """Fees that wait on `ledger` for the account `earner`: (client, sequence) to payer to fee."""

    ledger: Ledger
    earner: Account | None
    known: dict[tuple[str, int], dict[Account, RelayFee]] = field(default_factory=dict, init=False)
    _scanned: int = field(default=0, init=False)

    def read_again(self) -> None:
        """Read all blocks again with the next reading; what is known stays known."""
        self._scanned = max(0, self.ledger.deployed_at - 1)

    async def read(self, height: int) -> None:
        """Read what was escrowed for the earner up to a final height: these facts are few.

        The newest blocks are read over and over, for a node may have left something out.
        """
        escrow = self.ledger.fees
        if self.earner is None or escrow is None:
            return
        start = max(0, self.ledger.deployed_at - 1, self._scanned - _AGAIN_BLOCKS)
        found = await escrow.escrowed(self.earner, start, height)
        held = []
        if found:
            held = await at_final(height, lambda at: escrow.held(found, at))
        for fee, amount in zip(found, held, strict=True):
            if amount:
                named = self.known.setdefault((fee.client_id, fee.sequence), {})
                named[fee.payer] = replace(fee, amount=amount)
        self._scanned = height

    def paid(self, name: tuple[str, int]) -> int:
        """Tell what the earner gets for carrying a packet, in the smallest coin."""
        return sum(fee.amount.units for fee in self.known.get(name, {}).values())

    def ended(
        self, route: Route, answers: Answers, unended: Container[tuple[str, int]], expired: int
    ) -> list[RelayFee]:
        """Give fees of packets that were answered, and drop those of packets that timed out.

        A packet that is not `unended` any more and has no answer among `answers` was never received
        if its time was over by `expired`, up to which all answers are known; 0 when that is not so.
        """
        ending: list[RelayFee] = []
        for name, fees in list(self.known.items()):
            if name[0] != route.client_id or name in unended:
                continue
            if (route.counterparty_client_id, name[1]) in answers:
                ending += fees.values()
            elif expired >= max(fee.timeout for fee in fees.values()):
                del self.known[name]
        return ending

    async def forget_paid(self, fees: Iterable[RelayFee], final: Block) -> None:
        """Drop those of `fees` that were collected or given back by a final block."""
        asked, escrow = list(fees), self.ledger.fees
        if not asked or escrow is None:
            return
        held = await at_final(final.height, lambda at: escrow.held(asked, at))
        for fee, amount in zip(asked, held, strict=True):
            if not amount:
                name = (fee.client_id, fee.sequence)
                del self.known[name][fee.payer]
                if not self.known[name]:
                    del self.known[name]

    async def earned(
        self, route: Route, answers: Answers, unended: Container[tuple[str, int]]
    ) -> tuple[EarnedFee, ...]:
        """List the fees of packets that ended acknowledged, one for each: a proof names it once."""
        found = []
        for (client, sequence), fees in self.known.items():
            answer = answers.get((route.counterparty_client_id, sequence))
            if (client, sequence) in unended or client != route.client_id:
                continue
            if answer is not None:
                fee = max(fees.values(), key=lambda each: (each.amount.units, each.payer.native))
                found.append(
                    EarnedFee(fee, answer.acknowledgements, answer.dest_client, answer.height)
                )
        escrow = self.ledger.fees
        if not found or escrow is None:
            return ()
        held = await escrow.held([each.fee for each in found])
        return tuple(each for each, amount in zip(found, held, strict=True) if amount)
