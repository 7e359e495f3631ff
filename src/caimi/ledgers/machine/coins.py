"""An accounting asset as a ledger's coin (port `Coins`), and the acts it has."""

from __future__ import annotations

from collections.abc import Mapping

from caimi.contracts.accounting import AccountingAsset
from caimi.errors.ledgers import CallInvalid
from caimi.ledgers.machine.acts import Act, own_act
from caimi.ledgers.machine.calls import MachineCall, nothing
from caimi.ledgers.machine.fresh import answering_freshly
from caimi.ledgers.machine.machine import Machine
from caimi.ledgers.port import NEWEST, Account, Asset, At, Money

MINT, REDEEM, MOVE = "mint units", "redeem units", "move units"


def accounting_acts(units: AccountingAsset) -> Mapping[str, Act]:
    """Give what can be done with units, by name."""
    return {
        MINT: own_act(units.mint),
        REDEEM: own_act(units.redeem),
        MOVE: own_act(units.move),
    }


@answering_freshly
class MachineCoins:
    """The units of one ledger. Work there costs nothing."""

    def __init__(self, chain: Machine, units: AccountingAsset, asset: Asset) -> None:
        self._chain = chain
        self._units = units
        self.asset = asset

    async def work_price(self) -> Money:
        return self.asset.of(0)

    async def balance(self, account: Account, at: At = NEWEST) -> Money:
        native = self._chain.native(account)
        return self.asset.of(self._units.balance(self._chain.at(at), native))

    def transfer(self, recipient: Account, amount: Money) -> MachineCall[None]:
        return self._call("Sending", MOVE, self._chain.native(recipient), self._amount(amount))

    # --- for the issuer, and whoever wants what units stand for ---------------------------------

    def mint(self, recipient: Account, amount: Money) -> MachineCall[None]:
        """Make units for an account; the issuer only."""
        return self._call("Minting", MINT, self._chain.native(recipient), self._amount(amount))

    def redeem(self, amount: Money, reference: str) -> MachineCall[None]:
        """Burn units of one's own, for which the issuer pays outside, as `reference` says."""
        return self._call("Redeeming", REDEEM, self._amount(amount), reference)

    async def supply(self, at: At = NEWEST) -> Money:
        """Give how many units there are."""
        return self.asset.of(self._units.supply(self._chain.at(at)))

    def _amount(self, amount: Money) -> int:
        if amount.asset != self.asset:
            raise CallInvalid(f"{amount} is not in {self.asset}.")
        return amount.units

    def _call(self, what: str, act: str, *arguments: object) -> MachineCall[None]:
        return MachineCall(self._chain.id, what, act, arguments, nothing)
