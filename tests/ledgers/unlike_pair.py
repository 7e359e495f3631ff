"""Two ledgers that have nothing in common, joined; validators follow both."""

from __future__ import annotations

from pathlib import Path

from client_routes import LocalValidator
from conformance.crossing import Crossing, End

from caimi.ledgers.port import Account, Signer
from caimi.messaging.relayer import Relayer
from caimi.messaging.validator import Validator
from caimi.persistence import open_signed_store


class Pair:
    """An EVM ledger and another, joined; four validators follow both."""

    def __init__(self, crossing: Crossing, folder: Path) -> None:
        self.crossing = crossing
        self.evm, self.other = crossing.here, crossing.there
        self.ledgers = {end.ledger.id: end.ledger for end in (self.evm, self.other)}
        self.stores = [
            open_signed_store(None, folder / f"{number}.sqlite")
            for number in range(len(crossing.members))
        ]
        self.validators = [
            LocalValidator(Validator(member, crossing.committee, self.ledgers, store))
            for member, store in zip(crossing.members, self.stores, strict=True)
        ]

    def relayer(self) -> Relayer:
        carriers: dict = {end.ledger.id: end.carrier for end in (self.evm, self.other)}
        return Relayer(self.ledgers, self.validators, carriers)

    async def settle(self, relayer: Relayer) -> list[str]:
        """Carry until there is nothing left; gives what was carried, in order."""
        carried: list[str] = []
        while True:
            await self.crossing.in_step()
            progress = await relayer.step()
            assert progress.failures == []
            if not progress.carried:
                return carried
            carried += [f"{each.what} on {each.receipt.ledger}" for each in progress.carried]

    async def send(self, start: End, owner: Signer, model_id: bytes, to: Account, **how) -> int:
        packet, _ = await self.crossing.send(start, owner, model_id, to, **how)
        return packet.sequence
