"""Two hospitals on one Fabric channel: each has a peer, and runs the chaincode beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.ledgers.fabric.administration import FabricAdministration
from caimi.ledgers.fabric.connecting import ledger_over
from caimi.ledgers.fabric.lifecycle.definitions import ChaincodeDefinition
from caimi.ledgers.fabric.local.chaincodes import LocalChaincode, put_on_channel, start_chaincode
from caimi.ledgers.fabric.local.hosting import AHEAD, CHAINCODE, issuer_in, ledger_in, place_in
from caimi.ledgers.fabric.local.layout import LocalOrganisation
from caimi.ledgers.fabric.local.network import LocalNetwork, running_network
from caimi.ledgers.fabric.sandbox import FabricSandbox
from caimi.ledgers.fabric.settings import FabricPlace
from caimi.ledgers.fabric.terms import FoundingTerms
from caimi.ledgers.machine.coins import MachineCoins
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Account, LedgerPlace, Signer

NORTH, SOUTH = "NorthHospitalMSP", "SouthHospitalMSP"
BUDGET: Final = 1_000
"""What people get of the accounting asset, in whole units."""
_HERE: Final = Path(__file__).resolve().parent
_PATHS: Final = (_HERE.parents[1] / "src",)
_DEFINITION: Final = ChaincodeDefinition(CHAINCODE, "1.0", 1)
_AGREED: Final = ("-m", "caimi.ledgers.fabric.chaincode.program")
_OTHERWISE: Final = (str(_HERE / "other_rules.py"),)


@dataclass(frozen=True)
class Hospitals:
    """The running channel; North's account `admin` administers the ledger that both agree on."""

    network: LocalNetwork
    place: LedgerPlace
    admin: Ed25519Key

    @property
    def _said(self) -> FabricPlace:
        return FabricPlace.model_validate(dict(self.place.told))

    def terms(self, *, guardian: Ed25519Key | None = None) -> FoundingTerms:
        """Give the terms that North proposes, or some with another guardian."""
        by = self.admin.account.decode()
        stops = by if guardian is None else guardian.account.decode()
        return FoundingTerms(self.place.id, by, stops, self._said.accounting)

    async def run_chaincode(
        self, msp: str, terms: FoundingTerms, program: Sequence[str] = _AGREED
    ) -> None:
        """Start a hospital's process, or start it anew, as one that agreed to some terms."""
        organisation = self.network.organisation(msp)
        running = self.network.nodes.pop(f"{msp}-chaincode", None)
        if running is not None:
            await running.kill()
        await start_chaincode(
            self.network, self._chaincode(organisation, terms, program), organisation
        )

    async def disagree(self, msp: str) -> None:
        """Have a hospital run other rules than its sister."""
        await self.run_chaincode(msp, self.terms(), _OTHERWISE)

    async def put_on_channel(self) -> None:
        """Have both approve the chaincode, and one commit it."""
        anyone = self.network.layout.organisations[0]
        await put_on_channel(self.network, self._chaincode(anyone, self.terms(), _AGREED))

    async def found(self) -> None:
        """Found the ledger, by North's administrator; raises as `caimi deploy`."""
        await FabricAdministration().deploy(self.place, self.admin)

    def ledger_of(self, msp: str) -> MachineLedger:
        """Connect as a member of a hospital, by way of its own peer."""
        said = self._said
        organisation = self.network.organisation(msp)
        ours = said.model_copy(
            update={
                "msp": msp,
                "certificate": str(organisation.user.certificate),
                "key": str(organisation.user.key),
            }
        )
        peers = [peer for peer in said.peers if peer.msp == msp]
        return ledger_over(self.place.id, ours, peers)

    async def sandbox(self, ledger: MachineLedger, people: Sequence[Signer]) -> FabricSandbox:
        """Give each person a key on the channel, and a budget from the asset's issuer."""
        keys = {person.account: Ed25519Key() for person in people}
        issuer, coins = issuer_in(self.network.layout.root), ledger.coins
        assert isinstance(coins, MachineCoins), "the terms name an accounting asset"
        budget = coins.asset.of(BUDGET * 10**coins.asset.decimals)
        await asyncio.gather(
            *(
                ledger.submit(coins.mint(Account(ledger.id, key.account), budget), issuer)
                for key in keys.values()
            )
        )
        return FabricSandbox(ledger, self.admin, keys, self.network.layout.root / AHEAD)

    def _chaincode(
        self, organisation: LocalOrganisation, terms: FoundingTerms, program: Sequence[str]
    ) -> LocalChaincode:
        file = organisation.folder / "terms.toml"
        file.write_text(terms.text())
        return LocalChaincode(_DEFINITION, [*program, f"--terms={file}"], _PATHS)


@asynccontextmanager
async def running_hospitals(root: Path) -> AsyncIterator[Hospitals]:
    """Run an orderer and both hospitals' peers in a folder.

    Raises:
        FabricProgramsMissing, FabricProgramsDamaged: Fabric's programs are not there.
        FabricNodeFailed: a process cannot be started.
    """
    async with running_network(root, (NORTH, SOUTH)) as network:
        place = place_in(network.layout, "hospitals")
        assert place.id == ledger_in(network.layout)
        yield Hospitals(network, place, Ed25519Key())
