"""A ledger that is unlike EVM and the Solidity contracts exchange packets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from caimi.contracts.bridge_effects import ModelReceived, TransferReturned
from caimi.contracts.identifiers import COIN, Account, ClientId, Currency, TokenId
from caimi.contracts.licences import LicenceGranted
from caimi.contracts.offers import LicencePrice
from caimi.contracts.purchases import PurchaseCompleted
from caimi.contracts.receiving import AcknowledgementWritten
from caimi.contracts.sending import PacketSent
from caimi.ibc.commitments import (
    UNIVERSAL_ERROR_ACKNOWLEDGEMENT,
    acknowledgement_commitment,
    packet_commitment,
)
from caimi.ibc.packet import Packet
from caimi.ibc.path import Path
from contracts.ledgers import USERS, as_struct, ledgers
from contracts.local_ledgers import (
    ADMIN,
    ALICE,
    BOB,
    CAROL,
    COMMITTEE,
    LocalLedger,
    WordCoins,
    only,
)
from contracts.test_local_ledgers import Claimed, owner_of, send
from contracts.twin import ADMINISTRATOR, DEPOSIT, Twin

USER = USERS[0].account
HOUR = 3600
GOLD = Currency(b"gold")


class Crossing:
    """A local ledger, and an EVM ledger twice over, joined by a route."""

    def __init__(self) -> None:
        self.twin: Twin = ledgers().twins[0]
        self.local = LocalLedger.named("gamma", WordCoins())
        self.route = self.twin.join(
            "client gamma", self.local.gateway, self.local.site.ledger, COMMITTEE
        )
        contracts, client = self.local.contracts, Account(b"evm")
        self.local.do(
            ADMIN, lambda call: contracts.clients.add(call, client, self.twin.gateway, COMMITTEE)
        )
        routes = contracts.gateway.routes
        self.local.route = self.local.do(
            ADMIN, lambda call: routes.add(call, client, self.twin.ledger)
        ).result
        self.local.do(
            ADMIN, lambda call: routes.set_counterparty(call, self.local.route, self.route)
        )
        self.twin.step(
            ADMINISTRATOR,
            lambda call: self.twin.contracts.gateway.routes.set_counterparty(
                call, self.route, self.local.route
            ),
            "Gateway",
            "setCounterparty",
            self.route,
            self.local.route,
        )

    def proof(self, source: Twin | LocalLedger, fact: tuple[bytes, bytes]) -> bytes:
        if isinstance(source, Twin):
            claimed = ledgers().claim(0, [fact])
        else:
            claimed = Claimed.about(source, [fact])
        return claimed.proof()

    def to_local(self, packet: Packet):
        fact = (
            Path.commitment(packet.source_client, packet.sequence).key,
            packet_commitment(packet),
        )
        proof, gateway = self.proof(self.twin, fact), self.local.contracts.gateway
        route = ClientId(packet.dest_client)
        done = self.local.do(BOB, lambda call: gateway.receive(call, route, [packet], proof))
        return done.effects

    def to_evm(self, packet: Packet):
        fact = (
            Path.commitment(packet.source_client, packet.sequence).key,
            packet_commitment(packet),
        )
        proof, gateway = self.proof(self.local, fact), self.twin.contracts.gateway
        done = self.twin.step(
            USER,
            lambda call: gateway.receive(call, self.route, [packet], proof),
            "Gateway",
            "recvPackets",
            self.route,
            [as_struct(packet)],
            proof,
        )
        assert done is not None
        return done.effects

    def back_to_evm(self, packet: Packet, given: tuple[bytes, ...]) -> None:
        key = Path.acknowledgement(packet.dest_client, packet.sequence).key
        proof = self.proof(self.local, (key, acknowledgement_commitment(given)))
        gateway = self.twin.contracts.gateway
        done = self.twin.step(
            USER,
            lambda call: gateway.acknowledge(call, self.route, [packet], [given], proof),
            "Gateway",
            "ackPackets",
            self.route,
            [as_struct(packet)],
            [given],
            proof,
        )
        assert done is not None

    def back_to_local(self, packet: Packet, given: tuple[bytes, ...]):
        key = Path.acknowledgement(packet.dest_client, packet.sequence).key
        proof = self.proof(self.twin, (key, acknowledgement_commitment(given)))
        gateway, route = self.local.contracts.gateway, self.local.route
        return self.local.do(
            BOB, lambda call: gateway.acknowledge(call, route, [packet], [given], proof)
        ).effects

    def publish(self) -> TokenId:
        registry = self.twin.contracts.registry
        done = self.twin.step(
            USER,
            lambda call: registry.publish(call, "digits", "1.0.0", b"\7" * 32),
            "ModelRegistry",
            "publish",
            "digits",
            "1.0.0",
            b"\7" * 32,
        )
        assert done is not None
        return TokenId(done.result)


@pytest.fixture
def crossing() -> Iterator[Crossing]:
    ends = [twin.branch() for twin in ledgers().twins]
    yield Crossing()
    for end in ends:
        end()


def send_from_evm(crossing: Crossing, token: TokenId, recipient: Account) -> Packet:
    """Have its owner approve the bridge for a token, and send it."""
    twin, timeout = crossing.twin, crossing.twin.evm.time + HOUR
    bridge, number = twin.site.bridge, int.from_bytes(token)
    ownership = twin.contracts.registry.ownership
    twin.step(
        USER,
        lambda call: ownership.approve(call, bridge, token),
        "ModelRegistry",
        "approve",
        bridge,
        number,
    )
    sent = twin.step(
        USER,
        lambda call: twin.contracts.bridge.send(
            call, crossing.route, token, (recipient, 0), timeout
        ),
        "ModelBridge",
        "send",
        crossing.route,
        number,
        recipient,
        timeout,
        0,
    )
    assert sent is not None
    return only(sent.effects, PacketSent).packet


def test_a_model_of_an_evm_ledger_visits_a_ledger_of_words_and_comes_back(
    crossing: Crossing,
) -> None:
    twin, local, token = crossing.twin, crossing.local, crossing.publish()
    packet = send_from_evm(crossing, token, ALICE)
    effects = crossing.to_local(packet)
    assert only(effects, ModelReceived).recipient == ALICE
    assert owner_of(local, token) == ALICE
    crossing.back_to_evm(packet, only(effects, AcknowledgementWritten).acknowledgements)

    back = send(local, ALICE, token, USERS[1].account)
    effects = crossing.to_evm(back)
    assert only(effects, ModelReceived).recipient == USERS[1].account
    crossing.back_to_local(back, only(effects, AcknowledgementWritten).acknowledgements)
    assert owner_of(local, token) == b""
    twin.read(USERS[1].account, "ModelRegistry", "ownerOf", int.from_bytes(token))


def test_a_licence_of_an_evm_ledgers_model_is_granted_to_who_buys_in_words(
    crossing: Crossing,
) -> None:
    twin, local, token = crossing.twin, crossing.local, crossing.publish()
    price = LicencePrice(local.site.here(CAROL), GOLD, 5)
    twin.step(
        USER,
        lambda call: twin.contracts.market.set_prices(call, token, [price]),
        "LicenceMarket",
        "setPrices",
        int.from_bytes(token),
        [(price.payee, GOLD, 5, True)],
    )
    market, timeout = local.contracts.market, local.time + HOUR
    wanted, paid = (token, "1.0.0"), (GOLD, 5)
    sent = local.do(BOB, lambda call: market.buy_remote(call, local.route, wanted, paid, timeout))
    packet = only(sent.effects, PacketSent).packet
    effects = crossing.to_evm(packet)
    assert only(effects, LicenceGranted).consumer == local.site.here(BOB)
    given = only(effects, AcknowledgementWritten).acknowledgements
    assert only(crossing.back_to_local(packet, given), PurchaseCompleted).payee == CAROL
    assert market.treasury.owed(local.state, CAROL, GOLD) == 5


def test_a_licence_of_a_model_at_home_among_words_is_paid_on_an_evm_ledger(
    crossing: Crossing,
) -> None:
    twin, local, token = crossing.twin, crossing.local, crossing.local.publish()
    payee, reader = USERS[1].account, USERS[2].account
    price = LicencePrice(twin.site.here(payee), COIN, 5)
    local.do(ALICE, lambda call: local.contracts.market.set_prices(call, token, [price]))
    market, timeout = twin.contracts.market, twin.evm.time + HOUR
    wanted, paid = (token, "1.0.0"), (COIN, 5)
    sent = twin.step(
        USER,
        lambda call: market.buy_remote(call, crossing.route, wanted, paid, timeout, reader),
        "LicenceMarket",
        "buyRemote",
        crossing.route,
        int.from_bytes(token),
        "1.0.0",
        bytes(20),
        5,
        timeout,
        reader,
        value=DEPOSIT + 5,
    )
    assert sent is not None
    packet = only(sent.effects, PacketSent).packet
    effects = crossing.to_local(packet)
    granted = only(effects, LicenceGranted)
    assert (granted.consumer, granted.payee) == (twin.site.here(reader), twin.site.here(payee))
    crossing.back_to_evm(packet, only(effects, AcknowledgementWritten).acknowledgements)
    twin.read(5, "LicenceMarket", "owed", payee, bytes(20))
    assert market.treasury.owed(twin.state, payee, COIN) == 5


def test_a_model_of_a_ledger_of_words_visits_an_evm_ledger_and_comes_back(
    crossing: Crossing,
) -> None:
    twin, local, token = crossing.twin, crossing.local, crossing.local.publish()
    number = int.from_bytes(token)
    packet = send(local, ALICE, token, USER)
    effects = crossing.to_evm(packet)
    assert only(effects, ModelReceived).recipient == USER
    home = local.site.here(local.site.registry)
    twin.read((ALICE, "digits", home, 0), "ModelRegistry", "model", number)
    given = only(effects, AcknowledgementWritten).acknowledgements
    crossing.back_to_local(packet, given)

    back = send_from_evm(crossing, token, BOB)
    effects = crossing.to_local(back)
    assert owner_of(local, token) == BOB
    crossing.back_to_evm(back, only(effects, AcknowledgementWritten).acknowledgements)


def test_a_model_of_a_ledger_of_words_is_returned_when_an_evm_ledger_refuses_it(
    crossing: Crossing,
) -> None:
    local, token = crossing.local, crossing.local.publish()
    packet = send(local, ALICE, token, crossing.twin.site.registry)
    effects = crossing.to_evm(packet)
    given = only(effects, AcknowledgementWritten).acknowledgements
    assert given == (UNIVERSAL_ERROR_ACKNOWLEDGEMENT,)
    assert only(crossing.back_to_local(packet, given), TransferReturned).to == ALICE
