"""Deploying on EVM ledgers, and joining them to others (port `Administration`)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from pydantic import ValidationError

from caimi.config import LedgerSection
from caimi.errors.operations import ConfigInvalid
from caimi.ledgers.evm.abi.calls import contract_creation
from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.administration.deploying import GUARDIAN_ROLE, deploy
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.facets.market import ledger_address
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.finality import parse_finality
from caimi.ledgers.evm.settings import EvmPlace
from caimi.ledgers.port import Committee, Ledger, LedgerPlace, Outbox, Signer


@dataclass(frozen=True, slots=True)
class EvmAdministered:
    """A ledger that `admin` administers (port `Administered`)."""

    ledger: EvmLedger
    admin: Signer

    async def add_client(
        self, of: Ledger, committee: Committee, *, outbox: Outbox | None = None, key: str = "route"
    ) -> str:
        """Add a route by a new committee client, which guardians may freeze.

        Raises:
            TransactionReverted: a contract refuses: `admin` may not, or the committee is invalid.
        """
        here = self.ledger
        authority = here.deployment.contracts["authority"]
        prefix = f"{key}/{here.id}/{of.id}"
        client = artifact("CommitteeClient")
        code = client.bytecode + encode(
            client.interface.constructor,
            [
                of.gateway.address,
                committee.epoch,
                committee.threshold,
                list(committee.members),
                committee.operators,
                authority,
            ],
        )
        created = await here.submit(
            contract_creation(here.id, f"Deploying a client of {of.id}", code),
            self.admin,
            outbox=outbox,
            key=f"{prefix}/client",
        )
        guard = Contract(here.chain, authority, artifact("AccessManager").interface)
        added, _ = await asyncio.gather(
            here.submit(
                here.gateway.add_client(created.effect, ledger_address(of.id)),
                self.admin,
                outbox=outbox,
                key=f"{prefix}/route",
            ),
            here.submit(
                guard.call(
                    "Letting guardians freeze the client",
                    "setTargetFunctionRole",
                    created.effect,
                    [client.interface["freeze"].selector],
                    GUARDIAN_ROLE,
                ),
                self.admin,
                outbox=outbox,
                key=f"{prefix}/guard",
            ),
        )
        return added.effect


class EvmAdministration:
    """Deploys with `caimi.ledgers.evm.administration.deploying`."""

    async def deploy(
        self,
        place: LedgerPlace,
        signer: Signer,
        *,
        guardian: bytes | None = None,
        outbox: Outbox | None = None,
        key: str = "deploy",
    ) -> LedgerSection:
        """See `Administration.deploy`; raises as `deploying.deploy`, too."""
        try:
            settings = EvmPlace.model_validate(dict(place.told))
        except ValidationError as error:
            wrong = ", ".join(".".join(map(str, each["loc"])) for each in error.errors()[:5])
            raise ConfigInvalid(f"{place.id}: not as an EVM ledger has it: {wrong}.") from error
        chain = http_chain(place.id, settings.rpc, parse_finality(settings.finality))
        try:
            made = await deploy(chain, signer, guardian=guardian, outbox=outbox, key=key)
        finally:
            await chain.rpc.aclose()
        known = {"name": place.name, "family": place.family, **place.told}
        return LedgerSection.model_validate({**known, **made.as_dict()})

    def administered(self, ledger: Ledger, signer: Signer) -> EvmAdministered:
        """Take one of this family's ledgers."""
        assert isinstance(ledger, EvmLedger), "the ledger is of this family"
        return EvmAdministered(ledger, signer)
