"""The committees that ledgers' routes trust, and handing over to the next on all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from caimi.errors.messaging import InvalidCheckpoint
from caimi.hashing import keccak256
from caimi.ledgers.port import Account, Committee, Ledger, LedgerId, Outbox, Route, Signer
from caimi.ledgers.port.clients import COMMITTEE, LightClient
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.handover import Handover, Planned
from caimi.messaging.rotation import Rotation


@dataclass(frozen=True, slots=True)
class TrustedCommittee:
    """A committee in office: `client` of `route` on `ledger` believes it about the counterparty."""

    ledger: LedgerId
    route: Route
    client: Account
    committee: Committee
    frozen: bool


@dataclass(frozen=True, slots=True)
class RotationOutcome:
    """What came of a rotation at one client, which is as its ledger writes it.

    ``handed over``, ``already``, or why not.
    """

    ledger: LedgerId
    client: str
    about: LedgerId
    outcome: str
    tx: str = ""


async def committees(ledgers: Mapping[LedgerId, Ledger]) -> list[TrustedCommittee]:
    """List the committees that the ledgers' routes trust, those inside other clients too."""
    found = await asyncio.gather(*(_offices(ledger) for ledger in ledgers.values()))
    return [office for each in found for office in each]


async def plan(
    ledgers: Mapping[LedgerId, Ledger],
    threshold: int,
    members: Sequence[bytes],
    operators: Mapping[bytes, int] | None = None,
) -> Handover:
    """Plan the hand-over of every committee in office to `members`.

    Committees about ledgers that are not configured are left alone, and so are frozen clients.

    Raises:
        InvalidCheckpoint: the new committee is impossible, or there is none to hand over.
    """
    planned: dict[tuple[LedgerId, bytes], Planned] = {}
    for office in await committees(ledgers):
        about = office.route.counterparty
        if office.frozen or about not in ledgers:
            continue
        following = make_committee(office.committee.epoch + 1, threshold, members, operators)
        origin = keccak256(ledgers[about].gateway.address)
        rotation = Rotation(origin, office.committee, following)
        planned[about, office.committee.hash] = Planned(about, rotation, {})
    if not planned:
        raise InvalidCheckpoint("No route here trusts a committee that could hand over.")
    return Handover(tuple(planned[key] for key in sorted(planned)))


async def carry_out(
    handover: Handover,
    ledgers: Mapping[LedgerId, Ledger],
    signers: Mapping[LedgerId, Signer],
    outbox: Outbox | None = None,
    key: str = "",
) -> list[RotationOutcome]:
    """Bring a signed hand-over to every client that it is for; again, it goes on where it stopped.

    On each ledger it is brought by its own of `signers`, whoever that is.

    Raises:
        NotEnoughAttestations: too few members have signed one of its rotations.
    """
    signed = {
        (each.ledger, each.rotation.current.hash): each.collect() for each in handover.planned
    }
    done = {(each.ledger, each.rotation.following.hash) for each in handover.planned}
    said: list[RotationOutcome] = []
    for office in await committees(ledgers):
        about = office.route.counterparty
        place = (about, office.committee.hash)
        ledger = ledgers[office.ledger]
        client = ledger.accounts.text(office.client)
        if place in done:
            said.append(RotationOutcome(office.ledger, client, about, "already"))
            continue
        if place not in signed:
            epoch = office.committee.epoch
            outcome = f"not in the hand-over (epoch {epoch})"
            said.append(RotationOutcome(office.ledger, client, about, outcome))
            continue
        if office.frozen:
            said.append(RotationOutcome(office.ledger, client, about, "frozen"))
            continue
        rotation = signed[place]
        call = ledger.clients.rotate(
            office.client, rotation.rotation.following, rotation.signers, rotation.signatures
        )
        where = f"{key}/{office.ledger}/{office.client.native.hex()}"
        receipt = await ledger.submit(call, signers[ledger.id], outbox=outbox, key=where)
        said.append(RotationOutcome(office.ledger, client, about, "handed over", receipt.tx))
    return said


async def _offices(ledger: Ledger) -> list[TrustedCommittee]:
    seen: dict[Account, Route] = {}
    for route in await ledger.gateway.routes():
        for client in _committee_clients(await ledger.clients.of(route.client_id)):
            seen.setdefault(client.account, route)
    frozen = await ledger.clients.frozen(list(seen))
    return [
        TrustedCommittee(
            ledger.id, route, account, await ledger.clients.committee(account), stopped
        )
        for (account, route), stopped in zip(seen.items(), frozen, strict=True)
    ]


def _committee_clients(client: LightClient) -> Iterator[LightClient]:
    if client.kind == COMMITTEE:
        yield client
    for inner in client.inner:
        yield from _committee_clients(inner)
