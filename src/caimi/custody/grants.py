"""A custodian's view of who may have a key: licences and ownership at the finalised height."""

from __future__ import annotations

from collections.abc import Mapping

from caimi.chains import AccountId, InteroperableAddress
from caimi.custody.custodian import Grant
from caimi.errors.custody import ForeignHome, GrantRefused
from caimi.errors.ledgers import UnknownModel
from caimi.ledgers.home import home_model
from caimi.ledgers.port import Ledger, LedgerId, ModelRecord


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
            raise GrantRefused(f"this custodian does not follow ledger {ledger}")
        # What was revoked stays revoked: a node that lags behind is not asked about the past.
        height = max((await home.finalized()).height, self._seen.get(home.id, 0))
        try:
            model = await home_model(home, model_id, height)
        except (ForeignHome, UnknownModel) as error:
            raise GrantRefused(
                f"at height {height} {ledger} is not the home of model 0x{model_id.hex()}",
                next_step=error.next_step,
            ) from error
        licence = await home.market.licence(
            model_id, version, InteroperableAddress.from_caip(consumer).to_bytes(), at=height
        )
        self._seen[home.id] = max(height, self._seen.get(home.id, 0))
        if not licence.live and not _owns(home, model, AccountId.parse(consumer)):
            raise GrantRefused(
                f"{consumer} holds no live licence of version {version!r} "
                f"at height {height} of {ledger}"
            )
        return Grant(ledger, height, consumer)


def _owns(home: Ledger, model: ModelRecord, account: AccountId) -> bool:
    return account.ledger == home.id and f"0x{model.owner.hex()}" == account.address.lower()
