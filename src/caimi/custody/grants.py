"""A custodian's view of who may have a key: licences and ownership at the finalised height."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from caimi.custody.custodian import Grant
from caimi.errors.custody import ForeignHome, GrantRefused, MalformedEncoding
from caimi.errors.ids import InvalidAccountId, InvalidLedgerId
from caimi.errors.ledgers import UnknownModel
from caimi.ledgers.home import home_model
from caimi.ledgers.past import at_final
from caimi.ledgers.port import Account, Ledger, LedgerId, Statement, account_named

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
            GrantRefused: there is none, the ledger or the consumer's is not one this custodian
                follows, or the ledger is not the model's home.
            MalformedEncoding: the consumer is not written as its ledger writes accounts.
            RpcUnavailable…: as the ledger says.
        """
        home = self._ledgers.get(LedgerId(ledger))
        if home is None:
            raise GrantRefused(f"This custodian does not follow ledger {ledger}.")
        _, account = self._consumer(consumer)
        height = await self._height(home)
        try:
            model = await at_final(height, lambda at: home_model(home, model_id, at))
        except (ForeignHome, UnknownModel) as error:
            raise GrantRefused(
                f"At height {height} {ledger} is not the home of model 0x{model_id.hex()}.",
                next_step=error.next_step,
            ) from error
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

    async def signed(self, consumer: str, statement: Statement, signature: bytes) -> bool:
        """Check with the consumer's own ledger's codec; what is not by its key, ask its contract.

        Raises:
            GrantRefused: the custodian does not follow that ledger, or it takes too long.
            MalformedEncoding: the consumer is not written as its ledger writes accounts.
            RpcUnavailable…: as the ledger says.
        """
        ledger, account = self._consumer(consumer)
        if ledger.accounts.verify(statement, account, signature):
            return True
        contracts = ledger.contract_accounts
        if contracts is None:
            return False
        digest = ledger.accounts.digest(statement)
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

    def _consumer(self, name: str) -> tuple[Ledger, Account]:
        """Give an account, and the ledger that it is on."""
        ledger = self._ledgers.get(LedgerId(name.rpartition(":")[0]))
        if ledger is None:
            raise GrantRefused(
                f"This custodian does not follow the ledger of {name}.",
                next_step="Buy with an account on a ledger that the custodians follow.",
            )
        try:
            return ledger, account_named(name, ledger.accounts)
        except (InvalidAccountId, InvalidLedgerId) as error:
            raise MalformedEncoding(error.what) from error

    async def _height(self, ledger: Ledger) -> int:
        """Give the newest final height; what was revoked stays revoked when a node lags behind."""
        return max((await ledger.finalized()).height, self._seen.get(ledger.id, 0))

    def _keep(self, ledger: Ledger, height: int) -> None:
        """Remember a height, once something was read at it."""
        self._seen[ledger.id] = max(height, self._seen.get(ledger.id, 0))
