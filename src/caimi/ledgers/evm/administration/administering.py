"""Deploying on EVM ledgers, and joining them to others (port `Administration`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pydantic import ValidationError

from caimi.config import LedgerSection
from caimi.errors.deploying import RouteUnfit
from caimi.errors.ledgers import LedgerBehind
from caimi.errors.operations import ConfigInvalid
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.evm.abi.calls import EvmCall, contract_creation
from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.administration.auditing import audit, is_gone
from caimi.ledgers.evm.administration.deploying import GUARDIAN_ROLE, deploy
from caimi.ledgers.evm.administration.planning import deployment_steps, plan_steps
from caimi.ledgers.evm.administration.proposing import (
    administers,
    check_proposer,
    through_timelock,
    timelock_if_any,
)
from caimi.ledgers.evm.administration.resuming import begun_first
from caimi.ledgers.evm.administration.roles import authority_of
from caimi.ledgers.evm.administration.route_clients import (
    CONTRACTS,
    FREEZABLE,
    PROPOSER_ROLE,
    STEPS,
    RouteClients,
    guard_step,
)
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.facets.market import ledger_address
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.connect import http_chain
from caimi.ledgers.evm.rpc.finality import parse_finality
from caimi.ledgers.evm.settings import EvmPlace
from caimi.ledgers.port import (
    BY_COMMITTEE,
    OPTIMISTIC,
    Account,
    Call,
    ClientTerms,
    Committee,
    Drafts,
    Ledger,
    LedgerId,
    LedgerPlace,
    LedgerPlan,
    Outbox,
    RouteEnd,
    Signer,
)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class EvmAdministered:
    """A ledger that `admin` administers, or proposes changes to (port `Administered`)."""

    ledger: EvmLedger
    admin: Signer
    drafts: Drafts | None = None

    async def add_client(
        self,
        of: Ledger,
        committee: Committee,
        *,
        terms: ClientTerms = BY_COMMITTEE,
        outbox: Outbox | None = None,
        key: str = "route",
    ) -> str:
        """Add a route by new clients, those of which guardians may freeze that can be.

        Raises:
            RouteUnfit: there can be no such client, or `admin` may not even propose it.
            TransactionReverted: a contract refuses: `admin` may not, or the committee is invalid.
            ChangeWaits: the clients are there, and the ledger's timelock has not added them yet.
        """
        here = self.ledger
        clients = RouteClients(here, RouteEnd(here, of, committee, terms))
        prefix = f"{key}/{here.id}/{of.id}"

        async def submit(step: str, call: EvmCall[R]) -> R:
            done = await here.submit(call, self.admin, outbox=outbox, key=f"{prefix}/{step}")
            return done.effect

        made: dict[str, bytes] = {}
        for kind in clients.kinds:
            contract = artifact(CONTRACTS[kind])
            code = contract.bytecode + encode(
                contract.interface.constructor, clients.constructed(kind, made)
            )
            what = f"Deploying {contract.name} of {of.id}"
            made[kind] = await submit(STEPS[kind], contract_creation(here.id, what, code))
        route = here.gateway.add_client(made[clients.top], ledger_address(of.id))
        calls: dict[str, EvmCall[str] | EvmCall[None]] = {
            "route": route,
            **{
                guard_step(kind): self._guarded(kind, made[kind])
                for kind in clients.kinds
                if kind in FREEZABLE
            },
        }
        if OPTIMISTIC in made:
            calls["proposers"] = self._proposing(made[OPTIMISTIC], terms)
        by_timelock = await through_timelock(here, self.admin, self.drafts)
        if by_timelock is not None:
            what = f"Adding the route to {of.id}"
            changes = list(calls.values())
            await by_timelock.carry_out(what, changes, outbox=outbox, key=f"{prefix}/route")
            return await self._route_by(made[clients.top])
        works = {f"{prefix}/{step}": partial(submit, step, call) for step, call in calls.items()}
        added = (await begun_first(outbox, works))[f"{prefix}/route"]
        assert isinstance(added, str)
        return added

    async def administer(
        self, call: Call[None], *, outbox: Outbox | None = None, key: str = "administer"
    ) -> None:
        """Make a change, by the timelock where one administers; see `Administered.administer`."""
        by_timelock = await through_timelock(self.ledger, self.admin, self.drafts)
        if by_timelock is None:
            await self.ledger.submit(call, self.admin, outbox=outbox, key=key)
            return
        assert isinstance(call, EvmCall), "the call is of this ledger"
        await by_timelock.carry_out(call.what, [call], outbox=outbox, key=key)

    async def _route_by(self, client: bytes) -> str:
        """Find the route whose client is at an address, whoever carried its addition out.

        Raises:
            LedgerBehind: the node does not show it.
        """
        found = await self.ledger.gateway.route_by(client)
        if found is not None:
            return found
        raise LedgerBehind(
            f"{self.ledger.id} does not show a route by the client 0x{client.hex()}."
        )

    def _guarded(self, kind: str, client: bytes) -> EvmCall[None]:
        freeze = artifact(CONTRACTS[kind]).interface["freeze"].selector
        what = "Letting guardians freeze the client"
        return authority_of(self.ledger).call(
            what, "setTargetFunctionRole", client, [freeze], GUARDIAN_ROLE
        )

    def _proposing(self, client: bytes, terms: ClientTerms) -> EvmCall[None]:
        authority = authority_of(self.ledger)
        propose = artifact(CONTRACTS[OPTIMISTIC]).interface["propose"].selector
        assign, grant, label = (
            authority.interface[name]
            for name in ("setTargetFunctionRole", "grantRole", "labelRole")
        )
        steps = [
            label.encode(PROPOSER_ROLE, "proposer"),
            assign.encode(client, [propose], PROPOSER_ROLE),
            *(grant.encode(PROPOSER_ROLE, who, 0) for who in terms.proposers),
        ]
        return authority.call("Naming who may propose claims", "multicall", steps)


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
        async with _reached(place) as chain:
            made = await deploy(chain, signer, guardian=guardian, outbox=outbox, key=key)
        known = {"name": place.name, "family": place.family, **place.told}
        return LedgerSection.model_validate({**known, **made.as_dict()})

    async def plan(
        self,
        place: LedgerPlace,
        account: bytes,
        *,
        outbox: Outbox | None = None,
        key: str = "deploy",
    ) -> LedgerPlan:
        """See `Administration.plan`."""
        async with _reached(place) as chain:
            await chain.verify()
            prefix = f"{key}/{place.id}"
            return await plan_steps(chain, account, deployment_steps(), outbox, prefix)

    async def audit(self, section: LedgerSection) -> list[str]:
        """See `Administration.audit`."""
        async with _deployed(section) as ledger:
            return await audit(ledger)

    async def gone(self, section: LedgerSection) -> bool:
        """See `Administration.gone`."""
        async with _deployed(section) as ledger:
            return await is_gone(ledger)

    async def plan_route(
        self,
        end: RouteEnd,
        account: bytes,
        *,
        outbox: Outbox | None = None,
        key: str = "route",
        drafts: Drafts | None = None,
    ) -> LedgerPlan:
        """See `Administration.plan_route`."""
        here = _ours(end.here)
        clients = RouteClients(here, end)
        prefix = f"{key}/{here.id}/{end.of.id}"
        if not await administers(here, account):
            timelock = await timelock_if_any(here)
            if timelock is None:
                raise RouteUnfit(
                    f"{EvmAccounts(here.id).text(Account(here.id, account))} does not administer "
                    f"{here.id}, or not at once.",
                    why="Routes are added by whoever administers a ledger; `caimi governance show` "
                    "tells who that is.",
                    next_step="Choose the administrator's key with --key.",
                )
            await check_proposer(here, timelock, account, drafts)
            steps = clients.steps_by_timelock()
            return await plan_steps(here.chain, account, steps, outbox, prefix)
        return await plan_steps(here.chain, account, clients.steps(), outbox, prefix)

    async def audit_route(self, end: RouteEnd, client_id: str) -> list[str]:
        """See `Administration.audit_route`."""
        here = _ours(end.here)
        client = await here.clients.of(client_id)
        return await RouteClients(here, end).audit(client)

    def administered(
        self, ledger: Ledger, signer: Signer, drafts: Drafts | None = None
    ) -> EvmAdministered:
        """Take one of this family's ledgers."""
        return EvmAdministered(_ours(ledger), signer, drafts)


def _ours(ledger: Ledger) -> EvmLedger:
    assert isinstance(ledger, EvmLedger), "the ledger is of this family"
    return ledger


@asynccontextmanager
async def _deployed(section: LedgerSection) -> AsyncIterator[EvmLedger]:
    """Connect to where a section says that CAIMI is; raises as `_reached`."""
    told = section.model_extra or {}
    place = {name: told[name] for name in EvmPlace.model_fields if name in told}
    async with _reached(
        LedgerPlace(LedgerId(section.id), section.name, place, section.family)
    ) as chain:
        yield EvmLedger(chain, Deployment.from_dict(section.model_dump()))


@asynccontextmanager
async def _reached(place: LedgerPlace) -> AsyncIterator[Chain]:
    """Connect to a place.

    Raises:
        ConfigInvalid: it is not told as an EVM ledger is.
    """
    try:
        settings = EvmPlace.model_validate(dict(place.told))
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, each["loc"])) for each in error.errors()[:5])
        raise ConfigInvalid(f"{place.id}: not as an EVM ledger has it: {wrong}.") from error
    chain = http_chain(place.id, settings.rpc, parse_finality(settings.finality))
    try:
        yield chain
    finally:
        await chain.rpc.aclose()
