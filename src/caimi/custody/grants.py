"""A custodian's view of who may have a key: licences and ownership at the finalised height."""

from __future__ import annotations

from collections.abc import Mapping

from caimi.chains import AccountId, InteroperableAddress
from caimi.custody.custodian import Grant
from caimi.errors.custody import GrantRefused
from caimi.ledgers.port import Ledger, LedgerId


class LedgerGrants:
    """Answers from the custodian's own ledger connections (the port `GrantChecker`).

    A grant is a licence of the version that is live, or ownership of the model on its home ledger.
    """

    def __init__(self, ledgers: Mapping[LedgerId, Ledger]) -> None:
        self._ledgers = ledgers

    async def check(self, ledger: str, model_id: bytes, version: str, consumer: str) -> Grant:
        """Give the live grant as of the newest final block.

        Raises:
            GrantRefused: there is none, or the ledger is not one this custodian follows.
            UnknownModel, RpcUnavailable…: as the ledger says.
        """
        home = self._ledgers.get(LedgerId(ledger))
        if home is None:
            raise GrantRefused(f"This custodian does not follow ledger {ledger}.")
        account = AccountId.parse(consumer)
        final = await home.finalized()
        licence = await home.market.licence(
            model_id, version, InteroperableAddress.from_caip(consumer).to_bytes(), at=final.height
        )
        if not licence.live and not await self._owns(home, model_id, account, final.height):
            raise GrantRefused(
                f"{consumer} holds no live licence of version {version!r} "
                f"at height {final.height} of {ledger}."
            )
        return Grant(ledger, final.height, consumer)

    async def _owns(self, home: Ledger, model_id: bytes, account: AccountId, height: int) -> bool:
        if account.ledger != home.id:
            return False
        model = await home.registry.find(model_id, at=height)
        return model is not None and f"0x{model.owner.hex()}" == account.address.lower()
