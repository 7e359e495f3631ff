"""Paying relayers: what carrying a packet costs, its escrow, and its return."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote as quoted

from caimi.errors.ids import InvalidAccountId
from caimi.errors.messaging import UnknownPacket
from caimi.errors.node import NodeRefused
from caimi.ledgers.port import (
    Account,
    Call,
    Ledger,
    Money,
    RelayFee,
    RelayFees,
    Route,
    SentPacket,
    offered,
)
from caimi.messaging.attestations import ValidatorClient
from caimi.messaging.provers.choice import prover_for
from caimi.messaging.provers.prover import ProofRequest
from caimi.services.endpoint import Endpoint

_AMOUNT: Final = re.compile(r"[0-9]{1,39}")  # up to 2**128, as the escrow takes it


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a relayer asks for one packet: escrow `amount` for the account `relayer`."""

    relayer: Account
    amount: Money


async def ask_quote(relayer: Endpoint, source: Ledger, route: Route) -> Quoted:
    """Ask a relayer's service what it takes for a packet over a route.

    Raises:
        NodeUnreachable: it does not answer.
        NodeRefused: it does not carry over that route, or its answer is malformed.
    """
    answer = await relayer.get(
        f"/v1/quote?source={quoted(source.id)}&client={quoted(route.client_id)}"
    )
    account, amount = answer.get("relayer"), answer.get("amount")
    if isinstance(account, str) and isinstance(amount, str) and _AMOUNT.fullmatch(amount):
        coin = offered(source.coins, source.id, "coin").asset
        with suppress(InvalidAccountId):
            return Quoted(source.accounts.parse(account), coin.of(int(amount)))
    raise NodeRefused(f"{relayer.url} gave a malformed quote: {account!r:.80}, {amount!r:.80}.")


def fees_of(ledger: Ledger) -> RelayFees:
    """Give a ledger's fees for relayers; raises `NotOffered` where it has none."""
    return offered(ledger.fees, ledger.id, "fees for relayers")


async def escrow(
    ledger: Ledger, client_id: str, sequence: int, relayer: Account, amount: Money
) -> Call[None]:
    """Build the escrow of a fee for a packet that was sent.

    Raises:
        UnknownPacket: it was not.
    """
    found = await _sent(ledger, client_id, sequence)
    return fees_of(ledger).escrow(found.packet, relayer, amount)


async def refund(
    source: Ledger,
    destination: Ledger,
    client_id: str,
    sequence: int,
    parties: tuple[Account, Account],
    validators: Sequence[ValidatorClient],
) -> Call[None]:
    """Build the return of a fee whose packet timed out; `parties` are its relayer and its payer.

    Raises:
        UnknownPacket: there was no such packet.
        NotEnoughAttestations…: it cannot be proved that the packet was not received.
    """
    found = await _sent(source, client_id, sequence)
    names = [(found.packet.dest_client, sequence)]
    prover = prover_for(await source.clients.of(client_id))
    case = ProofRequest(destination, source, await destination.finalized(), validators)
    proof = (await prover.absence(case, names))(names)
    relayer, payer = parties
    nothing = offered(source.coins, source.id, "coin").asset.of(0)
    fee = RelayFee(client_id, sequence, relayer, payer, nothing, found.packet.timeout, found.height)
    fees = offered(source.fees, source.id, "fees for relayers")
    return fees.refund(client_id, [fee], proof.data)


async def _sent(ledger: Ledger, client_id: str, sequence: int) -> SentPacket:
    found = await ledger.gateway.find_sent(client_id, sequence)
    if found is None:
        raise UnknownPacket(f"There is no packet {sequence} of {client_id} on {ledger.id}.")
    return found
