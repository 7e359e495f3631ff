"""A custodian's view of who may have a key: licences and ownership at the finalised height."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from caimi.custody.custodian import Grant
from caimi.errors.custody import ForeignHome, GrantRefused
from caimi.errors.ledgers import UnknownModel
from caimi.ledgers.home import home_model
from caimi.ledgers.past import at_final
from caimi.ledgers.port import Account, Ledger, LedgerId

APPROVAL_SECONDS: Final = 10.0


class LedgerGrants:
    """Answers from the custodian's own ledger connections (the port `GrantChecker`).

    A grant is a licence of the version that is live, or ownership of the model; both count on the
    model's home only. The request names a ledger, but which one is home follows from the model id:
    no ledger that the custodian follows can vouch for another's models.
    """

    def __init__(self, ledgers: Mapping[LedgerId, Ledger]) -> None:
        self._ledgers = ledgers
        self._seen: dict[LedgerId, int] = {}

    async def check(self, ledger: str, model_id: bytes, version: str, consumer: str) -> Grant:
        """Give the live grant as of the newest final block, or the newest that was used before.

        Raises:
            GrantRefused: there is none, the ledger is not one this custodian follows, or it is not
                the model's home.
            RpcUnavailable…: as the ledger says.
        """
        home = self._ledgers.get(LedgerId(ledger))
        if home is None:
            raise GrantRefused(f"This custodian does not follow ledger {ledger}.")
        height = await self._height(home)
        try:
            model = await at_final(height, lambda at: home_model(home, model_id, at))
        except (ForeignHome, UnknownModel) as error:
            raise GrantRefused(
                f"At height {height} {ledger} is not the home of model 0x{model_id.hex()}.",
                next_step=error.next_step,
            ) from error
        account = Account.from_caip(consumer)
        licence = await at_final(
            height, lambda at: home.market.licence(model_id, version, account, at)
        )
        self._keep(home, height)
        if not licence.live and model.owner != account:
            raise GrantRefused(
                f"{consumer} holds no live licence of version {version!r} "
                f"at height {height} of {ledger}."
            )
        return Grant(ledger, height, consumer)

    async def approves(self, consumer: str, digest: bytes, signature: bytes) -> bool:
        """Ask a contract account, as of the newest final block of its own ledger.

        Raises:
            GrantRefused: the custodian does not follow that ledger, or it takes too long.
            RpcUnavailable…: as the ledger says.
        """
        account = Account.from_caip(consumer)
        ledger = self._ledgers.get(account.ledger)
        if ledger is None:
            raise GrantRefused(
                f"{consumer} did not sign with a key, and this custodian does not follow its "
                "ledger to ask whether it is a contract that takes the signature.",
                next_step="Buy with an account on a ledger that the custodians follow.",
            )
        contracts = ledger.contract_accounts
        if contracts is None:
            return False
        height = await self._height(ledger)
        try:
            async with asyncio.timeout(APPROVAL_SECONDS):
                approved = await at_final(
                    height, lambda at: contracts.approves(account, digest, signature, at)
                )
        except TimeoutError as error:
            raise GrantRefused(
                f"{account.ledger} did not say within {APPROVAL_SECONDS:g} s whether {consumer} "
                "takes the signature."
            ) from error
        self._keep(ledger, height)
        return approved

    async def _height(self, ledger: Ledger) -> int:
        """Give the newest final height; what was revoked stays revoked when a node lags behind."""
        return max((await ledger.finalized()).height, self._seen.get(ledger.id, 0))

    def _keep(self, ledger: Ledger, height: int) -> None:
        """Remember a height, once something was read at it."""
        self._seen[ledger.id] = max(height, self._seen.get(ledger.id, 0))
