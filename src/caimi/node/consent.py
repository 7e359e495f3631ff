"""Which models a worker serves: those that its operator wants, whatever others grant to its key.

Anyone may grant anyone a licence. What runs here is what `[serving] models` names: a model, one
version of it, or all of a publisher. Without that list it is what the worker's own key published or
bought, which nobody but the operator does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from caimi.client.context import Context
from caimi.client.purchase import intent
from caimi.client.resolve import Resolved
from caimi.errors.inference import ModelNotWanted
from caimi.errors.operations import ConfigInvalid, NoRoute
from caimi.journal import operation_key
from caimi.ledgers.port import Account, Ledger, LedgerId, PurchaseState
from caimi.uri import ModelUri

_SCHEME: Final = "caimi:"


class Consent:
    """What the operator agreed to run. `wanted` None stands for what its key published or bought.

    Construction raises `ConfigInvalid` for an entry that names neither a model nor an account.
    """

    def __init__(self, context: Context, wanted: Sequence[str] | None) -> None:
        self._context = context
        self._wanted = None if wanted is None else [_entry(text) for text in wanted]

    async def check(self, resolved: Resolved) -> None:
        """Refuse a version that the operator did not agree to.

        Raises:
            ModelNotWanted: it says how to agree.
            LedgerUnavailable: a ledger does not answer.
        """
        if self._wanted is not None:
            agreed = any(_names(entry, resolved) for entry in self._wanted)
        else:
            agreed = resolved.model.publisher == self._account(
                resolved.ledger
            ) or await self._is_bought(resolved)
        if not agreed:
            raise ModelNotWanted(
                f"This worker does not serve {resolved.uri}: its operator has not agreed to."
            )

    def _account(self, ledger: Ledger) -> Account:
        return self._context.identity.account(ledger.id)

    async def _is_bought(self, resolved: Resolved) -> bool:
        for name, ledger in self._context.ledgers.items():
            account = self._account(ledger)
            key = operation_key(*intent(resolved, account, account))
            bought = await self._context.journal.find(key)
            if bought is not None and bought.finished:
                return True
            if name != resolved.ledger.id and await self._is_bought_from(ledger, resolved):
                return True
        return False

    async def _is_bought_from(self, paying: Ledger, resolved: Resolved) -> bool:
        """Whether we bought there for ourselves: only the key that buys makes such a purchase."""
        try:
            route = await self._context.route(paying.id, resolved.ledger.id)
        except NoRoute:
            return False
        purchase = await paying.market.purchase_of(
            route.client_id,
            resolved.model.model_id,
            resolved.version.version,
            self._account(paying),
        )
        return purchase is not None and purchase.state is PurchaseState.COMPLETED


def _entry(text: str) -> ModelUri | Account:
    if text.startswith(_SCHEME):
        return ModelUri.parse(text)
    ledger, _, account = text.rpartition(":")
    try:
        found = bytes.fromhex(account.removeprefix("0x"))
    except ValueError:
        found = b""
    if not ledger or len(found) != 20:
        raise ConfigInvalid(
            f"Models of [serving] have {text[:80]!r}: neither a model's URI nor a publisher.",
            next_step="Write caimi:LEDGER:0xID, the same with @VERSION, or LEDGER:0xACCOUNT.",
        )
    return Account(LedgerId(ledger), found)


def _names(entry: ModelUri | Account, resolved: Resolved) -> bool:
    if isinstance(entry, ModelUri):
        return entry in (resolved.uri, resolved.uri.with_selector(None))
    return entry == resolved.model.publisher
