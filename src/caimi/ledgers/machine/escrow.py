"""What relayers are to be paid, as `RelayFees.sol` has it, in a ledger's coins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from caimi.contracts.commitments import PENDING
from caimi.contracts.execution import Effect, Execution, require
from caimi.contracts.gateway import PacketGateway
from caimi.contracts.identifiers import COIN, Account
from caimi.contracts.packet_rules import commitment_of
from caimi.contracts.records import Table
from caimi.contracts.state import State
from caimi.contracts.treasury import HeldCoins
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from caimi.ledgers.machine.acts import Act, own_act

ABANDONED_AFTER: Final = 30 * 24 * 3600
FeeName = tuple[str, int, bytes, bytes]
"""A fee: the client, the sequence, the relayer and the payer."""


@dataclass(frozen=True, slots=True)
class FeeEscrowed(Effect):
    """Coins were set aside for a relayer."""

    name: FeeName
    amount: int
    timeout: int


@dataclass(frozen=True, slots=True)
class FeeEarned(Effect):
    """A relayer may withdraw a fee."""

    name: FeeName
    amount: int


@dataclass(frozen=True, slots=True)
class HeldFee:
    """What is held, and until when its packet lasts."""

    amount: int
    timeout: int


_HELD: Final[Table[FeeName, HeldFee]] = Table("fees/held", HeldFee)
_OWED: Final[Table[tuple[bytes], int]] = Table("fees/owed", int)


class RelayEscrow:
    """The escrow of one ledger. All of its calls are open to anyone."""

    def __init__(self, gateway: PacketGateway, coins: HeldCoins) -> None:
        self._gateway = gateway
        self._coins = coins

    def escrow(self, call: Execution, packet: Packet, relayer: bytes, amount: int) -> None:
        """Set coins aside for the relayer of an open packet."""
        require(bool(relayer), "NoRelayer")
        require(amount > 0, "NoFee")
        path = Path.commitment(packet.source_client, packet.sequence)
        open_now = self._gateway.commitments.get(call.state, path) == commitment_of(packet)
        require(open_now, "NotOpen", client_id=packet.source_client, sequence=packet.sequence)
        name = (packet.source_client, packet.sequence, relayer, bytes(call.caller))
        self._coins.take(call, COIN, amount)
        whole = amount + self.held(call.state, name)
        _HELD.put(call.state, name, HeldFee(whole, packet.timeout))
        call.emit(FeeEscrowed(name, amount, packet.timeout))

    def claim(
        self,
        call: Execution,
        client_id: str,
        names: Sequence[FeeName],
        acknowledgements: Sequence[bytes],
        proof: bytes,
    ) -> None:
        """Give relayers their fees, by proof of what their packets were answered with."""
        require(len(names) == len(acknowledgements), "LengthMismatch")
        require(PENDING not in acknowledgements, "NotAcknowledged")
        route = self._gateway.routes.get(call.state, client_id)
        keys = [
            Path.acknowledgement(route.counterparty, sequence).key for _, sequence, _, _ in names
        ]
        facts = list(zip(keys, acknowledgements, strict=True))
        self._gateway.routes.verify_membership(call, route, facts, proof)
        for name in names:
            require(name[0] == client_id, "WrongRoute")
            amount = self._end(call, name, name[2])
            if amount:
                call.emit(FeeEarned(name, amount))

    def refund(
        self, call: Execution, client_id: str, names: Sequence[FeeName], proof: bytes
    ) -> None:
        """Give payers their fees back, by proof that nothing was received in time."""
        route = self._gateway.routes.get(call.state, client_id)
        keys = [Path.receipt(route.counterparty, sequence).key for _, sequence, _, _ in names]
        time = self._gateway.routes.verify_absence(call, route, keys, proof).time
        for name in names:
            require(name[0] == client_id, "WrongRoute")
            require(time >= self._timeout(call.state, name), "TimeoutNotReached")
            self._end(call, name, name[3])

    def reclaim(self, call: Execution, name: FeeName) -> None:
        """Give a payer a fee back about whose packet nobody has proved anything for so long."""
        abandoned_at = self._timeout(call.state, name) + ABANDONED_AFTER
        require(call.time >= abandoned_at, "NotAbandoned", abandoned_at=abandoned_at)
        self._end(call, name, name[3])

    def withdraw(self, call: Execution, to: Account) -> None:
        """Have paid out what one is owed."""
        owed = self.owed(call.state, call.caller)
        require(owed > 0, "NothingOwed")
        _OWED.delete(call.state, (call.caller,))
        self._coins.pay(call, to, COIN, owed)

    def held(self, state: State, name: FeeName) -> int:
        """Tell how much is held under a name."""
        fee = _HELD.get(state, name)
        return 0 if fee is None else fee.amount

    def owed(self, state: State, account: bytes) -> int:
        """Tell how much an account can withdraw."""
        return _OWED.get(state, (account,)) or 0

    def _timeout(self, state: State, name: FeeName) -> int:
        fee = _HELD.get(state, name)
        return 0 if fee is None else fee.timeout

    def _end(self, call: Execution, name: FeeName, to: bytes) -> int:
        amount = self.held(call.state, name)
        if amount:
            _HELD.delete(call.state, name)
            _OWED.put(call.state, (to,), self.owed(call.state, to) + amount)
        return amount


def escrow_acts(escrow: RelayEscrow) -> dict[str, Act]:
    """Give what can be done on a ledger that has an escrow."""
    return {
        "escrow": own_act(escrow.escrow),
        "claim": own_act(escrow.claim),
        "refund": own_act(escrow.refund),
        "reclaim": own_act(escrow.reclaim),
        "withdraw fees": own_act(escrow.withdraw),
    }
