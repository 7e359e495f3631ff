"""The Fabric family: ledgers on channels of Hyperledger Fabric.

Sections, accounts and keys are read without gRPC, which only who asks a peer needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from caimi.config import LedgerSection, PlaceSection
from caimi.errors.fabric import FabricOneOrganisation
from caimi.extras import extra_named
from caimi.ledgers.fabric.administration import FabricAdministration
from caimi.ledgers.fabric.settings import FabricPeer, FabricPlace, FabricSettings, path_of
from caimi.ledgers.machine.ed25519_accounts import Ed25519Accounts
from caimi.ledgers.machine.ed25519_keys import ED25519_KEYS
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Administration, KeyFiles, Ledger, LedgerId, LedgerPlace


class FabricFamily:
    """Makes ledgers on channels (port `Family`)."""

    settings: type[BaseModel] = FabricSettings
    places: type[BaseModel] | None = FabricPlace
    keys: KeyFiles = ED25519_KEYS
    administration: Administration | None = FabricAdministration()

    def accounts(self, section: LedgerSection | PlaceSection | LedgerPlace) -> Ed25519Accounts:
        return Ed25519Accounts(LedgerId(section.id))

    def prepare(self, section: LedgerSection, *, price_cap: int | None = None) -> MachineLedger:
        """See `Family.prepare`; the first of the peers that answers is asked.

        Raises:
            LedgerUnavailable: there can be no copy of the ledger.
            ExtraMissing: gRPC is not installed.
        """
        return _over(section, _settings(section).peers)

    def views(self, section: LedgerSection) -> dict[str, Ledger]:
        """See `Family.views`.

        Raises:
            FabricOneOrganisation: all peers are of one, which nobody else has to believe.
        """
        peers = _settings(section).peers
        organisations = {peer.msp for peer in peers}
        if len(organisations) == 1:
            (only,) = organisations
            raise FabricOneOrganisation(f"All peers of {section.id} here are of {only}.")
        return {
            f"peer {number} of {peer.msp}": _over(section, [peer])
            for number, peer in enumerate(peers, start=1)
        }

    def certificates(self, section: LedgerSection) -> list[Path]:
        """See `Certified.certificates`: the member's, an administrator's, and those of TLS."""
        settings = _settings(section)
        listed = [settings.certificate]
        if settings.lifecycle is not None:
            listed.append(settings.lifecycle.certificate)
        for peer in settings.peers:
            listed += filter(None, (peer.tls_certificate, peer.tls_roots))
        return [path_of(each) for each in dict.fromkeys(listed)]

    def quorum(self, section: LedgerSection) -> int | None:
        """Give the one that is set, or as many as are surely not of one organisation."""
        settings = _settings(section)
        return settings.quorum or settings.least_quorum


FABRIC: Final = FabricFamily()


def _settings(section: LedgerSection) -> FabricSettings:
    settings = section.settings
    assert isinstance(settings, FabricSettings), "the section is of this family"
    return settings


def _over(section: LedgerSection, peers: Sequence[FabricPeer]) -> MachineLedger:
    with extra_named("fabric"):
        from caimi.ledgers.fabric.connecting import ledger_over  # noqa: PLC0415 - an extra

    settings = _settings(section)
    return ledger_over(LedgerId(section.id), settings, peers, terms=settings.terms)
