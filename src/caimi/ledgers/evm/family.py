"""The EVM family: ledgers behind a node's JSON-RPC."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from caimi.config import LedgerSection, PlaceSection
from caimi.errors.ledgers import CallInvalid
from caimi.keystore import KEYSTORES
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.evm.administration.administering import EvmAdministration
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.connect import http_chain, ledger_at
from caimi.ledgers.evm.rpc.finality import parse_finality
from caimi.ledgers.evm.settings import EvmPlace, EvmSettings
from caimi.ledgers.evm.transactions.fees import FeePolicy
from caimi.ledgers.port import Administration, KeyFiles, Ledger, LedgerId, LedgerPlace


class EvmFamily:
    """Makes EVM ledgers (port `Family`); `prepare` raises `DeploymentInvalid` as `Deployment`."""

    settings: type[BaseModel] = EvmSettings
    places: type[BaseModel] | None = EvmPlace
    keys: KeyFiles = KEYSTORES
    administration: Administration | None = EvmAdministration()

    def accounts(self, section: LedgerSection | PlaceSection | LedgerPlace) -> EvmAccounts:
        return EvmAccounts(LedgerId(section.id))

    def prepare(self, section: LedgerSection, *, price_cap: int | None = None) -> EvmLedger:
        return _connect(section, _settings(section).rpc, price_cap)

    def views(self, section: LedgerSection) -> dict[str, Ledger]:
        """Give all endpoints by number and host: a URL's path often holds a key."""
        settings = _settings(section)
        return {
            f"endpoint {number} ({urlsplit(url).netloc})": _connect(section, url)
            for number, url in enumerate((settings.rpc, *settings.endpoints), start=1)
        }

    def quorum(self, section: LedgerSection) -> int | None:
        return _settings(section).quorum

    async def locate(self, url: str, name: str = "a") -> LedgerPlace:
        """See `Locating.locate`; final is what the ledger itself says is."""
        try:
            EvmPlace.model_validate({"rpc": url})
        except ValidationError:
            raise CallInvalid(
                "What is given is no URL of a node, or has a password in it."
            ) from None
        ledger = await ledger_at(url)
        return LedgerPlace(ledger, name, {"rpc": url, "finality": "finalized"})


EVM: Final = EvmFamily()


def _settings(section: LedgerSection) -> EvmSettings:
    settings = section.settings
    assert isinstance(settings, EvmSettings), "the section is of this family"
    return settings


def _connect(section: LedgerSection, url: str, price_cap: int | None = None) -> EvmLedger:
    settings = _settings(section)
    deployment = Deployment.from_dict(
        {
            "id": section.id,
            "deployed_at": settings.deployed_at,
            "contracts": dict(settings.contracts),
        }
    )
    chain = http_chain(section.id, url, parse_finality(settings.finality))
    return EvmLedger(chain, deployment, policy=None if price_cap is None else FeePolicy(price_cap))
