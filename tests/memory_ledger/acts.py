"""What can be done on the ledger, by name: plain values become what the contracts take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from caimi.contracts.committees import KnownCommittee
from caimi.contracts.deployment import Contracts
from caimi.contracts.execution import Execution, refuse
from caimi.contracts.identifiers import Account, ClientId
from caimi.contracts.offers import LicencePrice
from caimi.ibc.packet import Packet
from caimi.ibc.protobuf import decode_packet

Act = Callable[..., Any]


def _publish_from_batch(
    c: Contracts, call: Execution, batch: int, named: Sequence[Any], proof: Any, signature: bytes
) -> object:
    publication = c.registry.publications.sign(*named)
    return c.registry.publish_from_batch(call, batch, publication, proof, signature)


def _set_prices(c: Contracts, call: Execution, token: bytes, prices: Sequence[Any]) -> None:
    c.market.set_prices(call, token, [LicencePrice(*price) for price in prices])


def _buy_remote(
    c: Contracts, call: Execution, client: str, wanted: Any, paid: Any, timeout: int, reader: bytes
) -> object:
    return c.market.buy_remote(call, ClientId(client), wanted, paid, timeout, Account(reader))


def _packets(encoded: Sequence[bytes]) -> list[Packet]:
    return [decode_packet(each) for each in encoded]


def _receive(c: Contracts, call: Execution, client: str, packets: Any, proof: bytes) -> None:
    c.gateway.receive(call, ClientId(client), _packets(packets), proof)


def _acknowledge(
    c: Contracts, call: Execution, client: str, packets: Any, given: Any, proof: bytes
) -> None:
    c.gateway.acknowledge(call, ClientId(client), _packets(packets), given, proof)


def _time_out(c: Contracts, call: Execution, client: str, packets: Any, proof: bytes) -> None:
    c.gateway.time_out(call, ClientId(client), _packets(packets), proof)


def _rotate(
    c: Contracts, call: Execution, account: bytes, following: Any, signers: int, signatures: bytes
) -> None:
    client = c.clients.find(call.state, Account(account))
    if client is None:
        refuse("InvalidLightClient", client=account)
    client.rotate(call, following, signers, signatures)


def _add_client(
    c: Contracts, call: Execution, account: bytes, gateway: bytes, committee: Any
) -> None:
    c.clients.add(call, Account(account), gateway, KnownCommittee(*committee))


ACTS: Mapping[str, Act] = {
    "publish": lambda c, call, *args: c.registry.publish(call, *args),
    "publish version": lambda c, call, *args: c.registry.publish_version(call, *args),
    "set alias": lambda c, call, *args: c.registry.set_alias(call, *args),
    "deprecate": lambda c, call, *args: c.registry.deprecate(call, *args),
    "transfer": lambda c, call, *args: c.registry.ownership.transfer(call, *args),
    "approve": lambda c, call, *args: c.registry.ownership.approve(call, *args),
    "anchor batch": lambda c, call, *args: c.registry.publications.anchor(call, *args),
    "publish from batch": _publish_from_batch,
    "set prices": _set_prices,
    "buy": lambda c, call, *args: c.market.buy(call, *args),
    "buy remote": _buy_remote,
    "withdraw": lambda c, call, *args: c.market.withdraw(call, *args),
    "grant": lambda c, call, *args: c.market.licences.grant(call, *args),
    "revoke": lambda c, call, *args: c.market.licences.revoke(call, *args),
    "send": lambda c, call, *args: c.bridge.send(call, *args),
    "receive": _receive,
    "acknowledge": _acknowledge,
    "time out": _time_out,
    "anchor receipts": lambda c, call, *args: c.receipts.anchor(call, *args),
    "rotate": _rotate,
    "add client": _add_client,
    "add route": lambda c, call, *args: c.gateway.routes.add(call, *args),
    "set counterparty": lambda c, call, *args: c.gateway.routes.set_counterparty(call, *args),
}
"""Each takes the contracts, the execution and the arguments."""
