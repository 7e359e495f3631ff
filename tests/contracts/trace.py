"""One random trace: the state that its operations need, and the operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from caimi.chains import InteroperableAddress
from caimi.contracts.bridge_effects import ModelSent
from caimi.contracts.buckets import LaneLimits
from caimi.contracts.identifiers import (
    COIN,
    NOBODY,
    Account,
    ClientId,
    Currency,
    InteroperableAccount,
    InteroperableLedger,
    TokenId,
)
from caimi.contracts.interoperable import ledger_of
from caimi.contracts.licences import licence_id
from caimi.contracts.naming import version_id
from caimi.contracts.offers import LicencePrice
from caimi.contracts.orders import LicenceOrder
from caimi.contracts.publications import publication_leaf
from caimi.contracts.purchases import PurchaseRecord, purchase_id
from caimi.contracts.sending import PacketSent
from caimi.contracts.site import SignedPublication
from caimi.contracts.transfers import ModelTransfer
from caimi.contracts.visiting import ModelStatement, VisitingModel
from caimi.contracts.visitors import VisitorMinted
from caimi.hashing import keccak256
from caimi.ibc.commitments import UNIVERSAL_ERROR_ACKNOWLEDGEMENT
from caimi.ibc.packet import Packet, Payload
from caimi.ibc.path import Path
from caimi.merkle import MerkleTree
from contracts.evm_accounts import publication_digest
from contracts.ledgers import USERS, Ledgers, written
from contracts.scripted import ANSWERS
from contracts.twin import ADMINISTRATOR, DEPOSIT, GUARDIAN, LEAVER, Twin, effects_of

DAY = 24 * 3600
NAMES = ["digits", "mnist.v2", "A", "", "x" * 65]
VERSIONS = ["1.0.0", "2", "3-rc+1", "v1", "", "9" * 65]
ALIASES = ["stable", "next", "1", "Big", ""]
TOKEN_CURRENCY = Currency(b"\x77" * 20)
UNLIKE = [
    VisitingModel(
        InteroperableAccount(InteroperableAddress.from_caip(home).to_bytes()),
        Account(publisher),
        "digits",
        (),
        ModelStatement(1, 1, "1.0.0", b"\x07" * 32, 0, bytes(24)),
    )
    for home, publisher in (
        ("local:toys:registry", b"geppetto"),
        (f"fabric:{'c' * 32}:{'r' * 90}", b"\x01" * 64),
        ("cosmos:hub-4:cosmos1registry", bytes(20)),
    )
]
"""Models whose homes are no EVM ledgers; the second has the longest names that there are."""
ODD_HOMES = [
    b"",
    UNLIKE[0].home + b"\0",
    InteroperableAddress.from_caip("local:toys").to_bytes(),
    InteroperableAddress(0xFF01, b"", b"registry").to_bytes(),
    bytes.fromhex("0001000021") + b"\1" * 33 + b"\x14" + bytes(20),
    bytes.fromhex("00010000020063") + b"\x14" + bytes(20),
]
ODD_PUBLISHERS = [b"", b"\x01", bytes(20), b"\x01" * 21, b"\x01" * 64, b"\x01" * 65]
FORGED = 1 << 40
"""Sequences from here on are of packets that no ledger sent."""
WORD = bytes.fromhex("0001ff0302aabb05") + b"carol"
"""An account of a ledger that is as unlike EVM as can be."""
WORD_LEDGER = InteroperableLedger(bytes.fromhex("0001ff0302aabb00"))
WORD_ASSETS = [
    COIN,
    Currency(b"ibc/" + b"27394FB092D2ECCD56123C74F36E4C1F" + b"926001CEADA9CA97EA622B25F41E"),
]
NOT_HERE = bytes.fromhex("00010000010114")
ODD_PRICES = [
    *((WORD, paid_in) for paid_in in WORD_ASSETS * 3),
    (WORD, Currency(b"x" * 65)),
    (WORD_LEDGER, COIN),
    (b"", COIN),
    (NOT_HERE + bytes(20), COIN),
    (NOT_HERE + b"\1" * 20, Currency(b"denom")),
    (NOT_HERE + b"\1" * 20, Currency(bytes(20))),
    (NOT_HERE + b"\1" * 20 + b"\0", COIN),
]
"""Whom a price pays and in what: on other ledgers, and nowhere."""
PORTS = [answer.port for answer in ANSWERS]
everyone = [key.account for key in USERS] + [ADMINISTRATOR, GUARDIAN, LEAVER]


@dataclass
class InFlight:
    """A packet between two ledgers; `given` once it was answered."""

    packet: Packet
    source: int
    dest: int
    given: tuple[bytes, ...] | None = None


@dataclass
class Trace:
    """What a trace has done so far."""

    world: Ledgers
    rng: Random
    tokens: list[TokenId] = field(default_factory=list)
    models: list[VisitingModel] = field(default_factory=list)
    flying: list[InFlight] = field(default_factory=list)
    forged: int = FORGED
    batches: list[tuple[int, int, SignedPublication, tuple[bytes, ...], bytes]] = field(
        default_factory=list
    )
    licences: list[bytes] = field(default_factory=list)
    priced: list[tuple[int, int, TokenId, Currency, int]] = field(default_factory=list)
    """Home, paying ledger, model, currency and amount."""

    # --- drawing --------------------------------------------------------------------------------

    def pick(self, options: Any) -> Any:
        return self.rng.choice(list(options))

    def ledger(self) -> tuple[int, Twin]:
        index = self.rng.randint(0, len(self.world.twins) - 1)
        return index, self.world.twins[index]

    def other(self, here: int) -> int:
        return self.pick(n for n in range(len(self.world.twins)) if n != here)

    def user(self) -> Account:
        return self.pick(key.account for key in USERS)

    def anyone(self) -> Account:
        return self.pick(everyone)

    def rarely(self) -> bool:
        return self.rng.random() < 0.1

    def token(self) -> TokenId:
        if not self.tokens or self.rarely():
            return TokenId(keccak256(b"no model"))
        return self.pick(self.tokens)

    def owned(self, twin: Twin) -> tuple[TokenId, Account]:
        """Give a token, mostly one that is here, and mostly the one who may act for it."""
        owner_of = twin.contracts.registry.ownership.owner
        live = [token for token in self.tokens if owner_of(twin.state, token) in everyone]
        if not live or self.rarely():
            return self.token(), self.user()
        token = self.pick(live)
        return token, self.user() if self.rarely() else owner_of(twin.state, token)

    def timeout(self, twin: Twin) -> int:
        now = twin.evm.time
        return self.pick([now + 3600] * 12 + [now + DAY, now, now + DAY + 1])

    def client(self, here: int) -> tuple[int, str]:
        there = self.other(here)
        if self.rarely():
            return there, "caimi-nowhere-7"
        return there, self.world.route[here, there]

    def amount(self) -> int:
        return self.pick([5] * 12 + [0, 1, 100, 10**18])

    def currency(self) -> Currency:
        return self.pick([COIN] * 7 + [TOKEN_CURRENCY])

    def reader(self) -> Account:
        return self.pick([NOBODY] * 3 + [self.user()])

    def price(self, twin: Twin) -> LicencePrice:
        """Give a price on a ledger, mostly one that can be set."""
        payee, paid_in = twin.site.here(self.user()), self.currency()
        if self.rarely():
            payee, paid_in = self.pick(ODD_PRICES)
        return LicencePrice(InteroperableAccount(payee), paid_in, self.amount(), not self.rarely())

    def note(self, source: int, done: Any) -> None:
        """Remember the packets that a step sent, and the tokens that it made."""
        for minted in effects_of(done, VisitorMinted):
            if minted.token not in self.tokens:
                self.tokens.append(minted.token)
        for effect in effects_of(done, PacketSent):
            packet = effect.packet
            dest = next(
                there
                for (here, there), client_id in self.world.route.items()
                if here == source and client_id == packet.source_client
            )
            self.flying.append(InFlight(packet, source, dest))

    # --- registry -------------------------------------------------------------------------------

    def publish(self) -> None:
        _, twin = self.ledger()
        user, name, version = (
            self.user(),
            self.pick(NAMES[:2] * 4 + NAMES),
            self.pick(VERSIONS[:3] * 4 + VERSIONS),
        )
        manifest = bytes(32) if self.rarely() else keccak256(version.encode())
        registry = twin.contracts.registry
        done = twin.step(
            user,
            lambda call: registry.publish(call, name, version, manifest),
            "ModelRegistry",
            "publish",
            name,
            version,
            manifest,
        )
        if done is not None and done.result not in self.tokens:
            self.tokens.append(done.result)
            self.models.append(
                VisitingModel(
                    twin.site.here(twin.site.registry),
                    user,
                    name,
                    (),
                    ModelStatement(twin.evm.time, 1, version, manifest, 0, bytes(24)),
                )
            )

    def publish_version(self) -> None:
        _, twin = self.ledger()
        token, owner = self.owned(twin)
        version = self.pick(VERSIONS[:3] * 4 + VERSIONS)
        registry = twin.contracts.registry
        twin.step(
            owner,
            lambda call: registry.publish_version(call, token, version, b"\x07" * 32),
            "ModelRegistry",
            "publishVersion",
            int.from_bytes(token),
            version,
            b"\x07" * 32,
        )

    def set_alias(self) -> None:
        _, twin = self.ledger()
        token, owner = self.owned(twin)
        name, version = self.pick(ALIASES[:2] * 4 + ALIASES), self.pick(VERSIONS[:3])
        registry = twin.contracts.registry
        twin.step(
            owner,
            lambda call: registry.set_alias(call, token, name, version),
            "ModelRegistry",
            "setAlias",
            int.from_bytes(token),
            name,
            version,
        )

    def deprecate(self) -> None:
        _, twin = self.ledger()
        token, owner = self.owned(twin)
        version, reason = self.pick(VERSIONS[:3]), self.pick(["", "weak", "é" * 129])
        registry = twin.contracts.registry
        twin.step(
            owner,
            lambda call: registry.deprecate(call, token, version, reason),
            "ModelRegistry",
            "deprecate",
            int.from_bytes(token),
            version,
            reason,
        )

    def anchor_batch(self) -> None:
        index, twin = self.ledger()
        publications = twin.contracts.registry.publications
        key = self.pick(USERS)
        signed = [
            publications.sign(key.account, self.pick(NAMES[:2]), version, keccak256(b"batch"))
            for version in VERSIONS[:2]
        ]
        here = twin.site.here(key.account)
        tree = MerkleTree(
            publication_leaf(here, each.model, each.version, each.manifest) for each in signed
        )
        root, count = (bytes(32) if self.rarely() else tree.root), self.pick([2, 2, 2, 0])
        done = twin.step(
            self.user(),
            lambda call: publications.anchor(call, root, count),
            "ModelRegistry",
            "anchorBatch",
            root,
            count,
        )
        if done is not None:
            for place, publication in enumerate(signed):
                signature = key.sign(publication_digest(publication))
                self.batches.append((index, done.result, publication, tree.proof(place), signature))

    def publish_from_batch(self) -> None:
        if not self.batches:
            return
        index, batch, publication, proof, signature = self.pick(self.batches)
        twin = self.world.twins[index]
        if self.rarely():
            batch += 1
        if self.rarely():
            signature = signature[:-1] + bytes([55 - signature[-1]])
        if self.rarely():
            publication = replace(publication, version="2.0")
        registry = twin.contracts.registry
        done = twin.step(
            self.user(),
            lambda call: registry.publish_from_batch(call, batch, publication, proof, signature),
            "ModelRegistry",
            "publishFromBatch",
            batch,
            (
                publication.publisher,
                publication.name,
                publication.version,
                publication.manifest,
            ),
            proof,
            signature,
        )
        if done is not None and done.result not in self.tokens:
            self.tokens.append(done.result)

    def transfer(self) -> None:
        _, twin = self.ledger()
        token, owner = self.owned(twin)
        caller = self.user() if self.rarely() else owner
        to = self.pick([*everyone[:4], twin.site.bridge, twin.site.registry, Account(bytes(20))])
        ownership = twin.contracts.registry.ownership
        twin.step(
            caller,
            lambda call: ownership.transfer(call, owner, to, token),
            "ModelRegistry",
            "transferFrom",
            owner,
            to,
            int.from_bytes(token),
        )

    def approve(self) -> None:
        _, twin = self.ledger()
        token, owner = self.owned(twin)
        to = twin.site.bridge if not self.rarely() else self.user()
        ownership = twin.contracts.registry.ownership
        twin.step(
            owner,
            lambda call: ownership.approve(call, to, token),
            "ModelRegistry",
            "approve",
            to,
            int.from_bytes(token),
        )

    def approve_all(self) -> None:
        _, twin = self.ledger()
        owner, operator, approved = self.user(), self.anyone(), not self.rarely()
        ownership = twin.contracts.registry.ownership
        twin.step(
            owner,
            lambda call: ownership.set_operator(call, operator, approved=approved),
            "ModelRegistry",
            "setApprovalForAll",
            operator,
            approved,
        )

    def mint_by_hand(self) -> None:
        """Nobody but the bridge makes visitors."""
        _, twin = self.ledger()
        if not self.models:
            return
        token, model, caller = self.token(), self.pick(self.models), self.anyone()
        visitors = twin.contracts.registry.visitors
        twin.step(
            caller,
            lambda call: visitors.mint(call, token, caller, model),
            "ModelRegistry",
            "mintForeign",
            int.from_bytes(token),
            caller,
            as_foreign(model),
        )

    def anchor_receipts(self) -> None:
        _, twin = self.ledger()
        root, count = self.pick([b"\1" * 32, b"\2" * 32, bytes(32)]), self.pick([1, 7, 0])
        twin.step(
            self.user(),
            lambda call: twin.contracts.receipts.anchor(call, root, count),
            "ReceiptLog",
            "anchor",
            root,
            count,
        )

    # --- licences -------------------------------------------------------------------------------

    def set_prices(self) -> None:
        index, twin = self.ledger()
        token, owner = self.owned(twin)
        twins = self.world.twins
        prices = [self.price(each) for each in self.pick([twins] * 8 + [[twin], [twin] * 33])]
        done = twin.step(
            owner,
            lambda call: twin.contracts.market.set_prices(call, token, prices),
            "LicenceMarket",
            "setPrices",
            int.from_bytes(token),
            [(p.payee, p.asset, p.amount, p.offered) for p in prices],
        )
        if done is not None:
            ledgers = [other.ledger for other in twins]
            for each in prices[:3]:
                if (ledger := ledger_of(each.payee)) in ledgers:
                    paying = ledgers.index(ledger)
                    self.priced.append((index, paying, token, each.asset, each.amount))

    def grant(self) -> None:
        _, twin = self.ledger()
        token, owner = self.owned(twin)
        version = self.pick(VERSIONS[:4])
        consumer = self.pick(
            [twin.site.here(self.user()), self.pick(self.world.twins).site.here(self.user()), b"x"]
        )
        done = twin.step(
            owner,
            lambda call: twin.contracts.market.licences.grant(call, token, version, consumer),
            "LicenceMarket",
            "grant",
            int.from_bytes(token),
            version,
            consumer,
        )
        if done is not None:
            self.licences.append(done.result)

    def revoke(self) -> None:
        _, twin = self.ledger()
        licence = self.pick([*self.licences, keccak256(b"none")])
        record = twin.contracts.market.licences.get(twin.state, licence)
        caller = self.user()
        if record is not None and not self.rarely():
            owner = twin.contracts.registry.ownership.owner(twin.state, record.token)
            caller = owner if owner in everyone else caller
        twin.step(
            caller,
            lambda call: twin.contracts.market.licences.revoke(call, licence),
            "LicenceMarket",
            "revoke",
            licence,
        )

    def offer(self, remote: bool) -> tuple[int, int, TokenId, Currency, int]:
        """Give what is or was offered, mostly, as `priced` has it."""
        fitting = [each for each in self.priced if (each[0] != each[1]) == remote]
        if not fitting or self.rarely():
            home = self.rng.randint(0, 2)
            paying = self.other(home) if remote else home
            return home, paying, self.token(), self.currency(), self.amount()
        holding = [each for each in fitting if self.holds(*each)]
        return self.pick(fitting if self.rarely() or not holding else holding)

    def holds(self, home: int, paying: int, token: TokenId, paid_in: Currency, amount: int) -> bool:
        """Whether a price is still the present one."""
        twin = self.world.twins[home]
        owner = twin.contracts.registry.ownership.owner(twin.state, token)
        if not owner:
            return False
        ledger = self.world.twins[paying].ledger
        now = twin.contracts.market.offers.price(twin.state, token, ledger, paid_in)
        return now is not None and now.amount == amount

    def buy(self) -> None:
        index, _, token, paid_in, amount = self.offer(False)
        twin, version = self.world.twins[index], self.pick(VERSIONS[:3])
        reader, paid = self.reader(), (paid_in, amount)
        done = twin.step(
            self.user(),
            lambda call: twin.contracts.market.buy(call, token, version, paid, reader),
            "LicenceMarket",
            "buy",
            int.from_bytes(token),
            version,
            paid_in or bytes(20),
            amount,
            reader or bytes(20),
            value=0 if paid_in else amount,
        )
        if done is not None:
            self.licences.append(done.result)

    def buy_remote(self) -> None:
        home, index, token, paid_in, amount = self.offer(True)
        twin = self.world.twins[index]
        client_id = "caimi-nowhere-7" if self.rarely() else self.world.route[index, home]
        version = self.pick(VERSIONS[:3] * 3 + VERSIONS[:4])
        timeout, user, reader = self.timeout(twin), self.user(), self.reader()
        deposit = twin.contracts.market.treasury.relay_deposit(twin.state)
        done = twin.step(
            user,
            lambda call: twin.contracts.market.buy_remote(
                call, client_id, (token, version), (paid_in, amount), timeout, reader
            ),
            "LicenceMarket",
            "buyRemote",
            client_id,
            int.from_bytes(token),
            version,
            paid_in or bytes(20),
            amount,
            timeout,
            reader or bytes(20),
            value=deposit + (0 if paid_in else amount),
        )
        self.note(index, done)

    def withdraw(self) -> None:
        _, twin = self.ledger()
        owed = twin.contracts.market.treasury.owed
        paid_in = self.currency()
        creditors = [each for each in everyone[:4] if owed(twin.state, each, paid_in)]
        caller = self.pick(creditors * 5 or everyone)
        to = self.pick([self.user()] * 4 + [twin.site.market, Account(bytes(20))])
        twin.step(
            caller,
            lambda call: twin.contracts.market.withdraw(call, paid_in, to),
            "LicenceMarket",
            "withdraw",
            paid_in or bytes(20),
            to,
        )

    def set_deposit(self) -> None:
        _, twin = self.ledger()
        caller, amount = self.pick([ADMINISTRATOR, GUARDIAN]), self.pick([0, 3, DEPOSIT])
        twin.step(
            caller,
            lambda call: twin.contracts.market.treasury.set_relay_deposit(call, amount),
            "LicenceMarket",
            "setRelayDeposit",
            amount,
        )

    def refund_dead(self) -> None:
        index, twin = self.ledger()
        _, client_id = self.client(index)
        sequence = self.rng.randint(1, 4)
        caller = self.user() if self.rarely() else self.pick([LEAVER, GUARDIAN, ADMINISTRATOR])
        twin.step(
            caller,
            lambda call: twin.contracts.market.refund_dead(call, client_id, sequence),
            "LicenceMarket",
            "refundDead",
            client_id,
            sequence,
        )

    # --- ownership over ledgers -----------------------------------------------------------------

    def send(self) -> None:
        index, twin = self.ledger()
        token, owner = self.owned(twin)
        _, client_id = self.client(index)
        recipient = self.pick([self.user()] * 20 + [bytes(20), b"short", b"x" * 129])
        depth, timeout = self.pick([0] * 8 + [1, 5, 9_001]), self.timeout(twin)
        ownership, bridge = twin.contracts.registry.ownership, twin.site.bridge
        if not self.rarely() and ownership.owner(twin.state, token) == owner:
            twin.step(
                owner,
                lambda call: ownership.approve(call, bridge, token),
                "ModelRegistry",
                "approve",
                bridge,
                int.from_bytes(token),
            )
        done = twin.step(
            owner,
            lambda call: twin.contracts.bridge.send(
                call, client_id, token, (recipient, depth), timeout
            ),
            "ModelBridge",
            "send",
            client_id,
            int.from_bytes(token),
            recipient,
            timeout,
            depth,
        )
        self.note(index, done)
        for effect in effects_of(done, ModelSent):
            assert effect.token == token

    def unlock_dead(self) -> None:
        index, twin = self.ledger()
        token, (_, client_id) = self.token(), self.client(index)
        to, caller = self.user(), self.pick([LEAVER, LEAVER, GUARDIAN])
        passage = twin.contracts.bridge.passage(twin.state, token)
        if passage.locked and not self.rarely():
            client_id, to = passage.left_by, self.pick([passage.sender, passage.sender, to])
        twin.step(
            caller,
            lambda call: twin.contracts.bridge.unlock_dead(call, token, client_id, to),
            "ModelBridge",
            "unlockDead",
            int.from_bytes(token),
            client_id,
            to,
        )

    def pause_bridge(self) -> None:
        _, twin = self.ledger()
        caller, pausing = self.pick([ADMINISTRATOR, GUARDIAN]), self.rarely()
        bridge = twin.contracts.bridge
        twin.step(
            caller,
            bridge.pause if pausing else bridge.unpause,
            "ModelBridge",
            "pause" if pausing else "unpause",
        )

    # --- limits ---------------------------------------------------------------------------------

    def limited(self, twin: Twin) -> tuple[Any, str]:
        """Give an application's limits and its Solidity contract's name."""
        if self.rng.random() < 0.5:
            return twin.contracts.bridge.limits, "ModelBridge"
        return twin.contracts.market.limits, "LicenceMarket"

    def lane(self, index: int) -> str:
        _, client_id = self.client(index)
        return client_id + self.pick(["", "", "/0x" + TOKEN_CURRENCY.hex()])

    def set_limits(self) -> None:
        index, twin = self.ledger()
        limits, name = self.limited(twin)
        lane, receiving = self.lane(index), (self.rng.random() < 0.5)
        caller = ADMINISTRATOR if not self.rarely() else self.user()
        value = LaneLimits(
            self.pick([1, 2, 3, 40, 0]),
            self.pick([0, 2, 24]),
            self.pick([0, 5, 100]),
            self.pick([5, 12, 200]),
            self.pick([0, 7, 10**6]),
        )
        fields = (
            value.count,
            value.count_per_day,
            value.max_amount,
            value.amount,
            value.amount_per_day,
        )
        twin.step(
            caller,
            lambda call: limits.set_limits(call, lane, value, receiving=receiving),
            name,
            "setLimits",
            lane,
            receiving,
            fields,
        )

    def break_route(self) -> None:
        index, twin = self.ledger()
        limits, name = self.limited(twin)
        lane, caller = self.lane(index), self.pick([GUARDIAN, ADMINISTRATOR])
        opening = self.rarely()
        twin.step(
            caller,
            lambda call: (limits.open_breaker if opening else limits.close_breaker)(call, lane),
            name,
            "openBreaker" if opening else "closeBreaker",
            lane,
        )

    def cap_supply(self) -> None:
        index, twin = self.ledger()
        _, client_id = self.client(index)
        caller, cap = self.pick([ADMINISTRATOR] * 3 + [GUARDIAN]), self.pick([0, 1, 2, 2**128 - 1])
        twin.step(
            caller,
            lambda call: twin.contracts.bridge.accountant.set_supply_cap(call, client_id, cap),
            "ModelBridge",
            "setSupplyCap",
            client_id,
            cap,
        )

    # --- the gateway ----------------------------------------------------------------------------

    def pause_route(self) -> None:
        index, twin = self.ledger()
        _, client_id = self.client(index)
        routes = twin.contracts.gateway.routes
        method = self.pick(["unpause"] * 3 + ["pause", "pause_frozen"])
        caller = self.pick([GUARDIAN, ADMINISTRATOR])
        name = {
            "pause": "pauseRoute",
            "unpause": "unpauseRoute",
            "pause_frozen": "pauseFrozenRoute",
        }
        twin.step(
            caller,
            lambda call: getattr(routes, method)(call, client_id),
            "Gateway",
            name[method],
            client_id,
        )

    def administer_routes(self) -> None:
        """Clients are replaced by those of other routes: what they prove is another matter."""
        index, twin = self.ledger()
        there, client_id = self.client(index)
        routes = twin.contracts.gateway.routes
        client = self.pick(
            [
                self.world.client(index, there),
                self.world.client(index, self.other(index)),
                self.user(),
            ]
        )
        caller = ADMINISTRATOR if not self.rarely() else self.user()
        kind = self.pick(["recover", "migrate", "counterparty", "add", "port"])
        if kind == "recover":
            twin.step(
                caller,
                lambda call: routes.recover(call, client_id, client),
                "Gateway",
                "recoverClient",
                client_id,
                client,
            )
        elif kind == "migrate":
            twin.step(
                caller,
                lambda call: routes.migrate(call, client_id, client),
                "Gateway",
                "migrateClient",
                client_id,
                client,
            )
        elif kind == "counterparty":
            name = self.pick(["other-chain-1", "short", "with space x"])
            twin.step(
                caller,
                lambda call: routes.set_counterparty(call, client_id, name),
                "Gateway",
                "setCounterparty",
                client_id,
                name,
            )
        elif kind == "add":
            ledger = self.pick([self.world.twins[there].ledger, b"\0\1\0\0\1\1", b""])
            twin.step(
                caller,
                lambda call: routes.add(call, client, ledger),
                "Gateway",
                "addClient",
                client,
                ledger,
            )
        else:
            port = self.pick(["model", "x", "again"])
            application = self.pick([twin.site.bridge, twin.site.gateway, self.user()])
            twin.step(
                caller,
                lambda call: twin.contracts.gateway.applications.add(call, port, application),
                "Gateway",
                "addApplication",
                port,
                application,
            )

    def send_by_hand(self) -> None:
        """Nobody but a registered application sends."""
        index, twin = self.ledger()
        _, client_id = self.client(index)
        payloads = [
            Payload("model", "model", self.pick(["v", " "]), "abi", self.pick([b"x", b""]))
        ] * self.pick([1, 1, 17])
        timeout, caller = self.timeout(twin), self.pick([self.user(), GUARDIAN])
        done = twin.step(
            caller,
            lambda call: twin.contracts.gateway.send(call, client_id, timeout, payloads),
            "Gateway",
            "sendPacket",
            client_id,
            timeout,
            [(p.source_port, p.dest_port, p.version, p.encoding, p.value) for p in payloads],
        )
        self.note(index, done)

    def freeze(self) -> None:
        index, twin = self.ledger()
        there = self.other(index)
        client = self.world.client(index, there)
        found = twin.contracts.clients.find(twin.state, client)
        name = next(n for n, (address, _) in twin.evm.places.items() if address == client)
        caller = GUARDIAN if self.rarely() and self.rarely() else ADMINISTRATOR
        twin.step(caller, found.freeze, name, "freeze")

    # --- carrying -------------------------------------------------------------------------------

    def some_flying(self, fits: Callable[[InFlight], bool]) -> list[InFlight]:
        """Give one packet, or several of one route, mostly such that fit."""
        fitting = self.flying if self.rarely() else [each for each in self.flying if fits(each)]
        if not fitting:
            return []
        first = self.pick(fitting)
        together = [each for each in fitting if each is not first]
        together = [e for e in together if (e.source, e.dest) == (first.source, first.dest)]
        return [first, *together[: self.rng.randint(0, 2)]]

    def deliver(self) -> None:
        chosen = self.some_flying(lambda each: each.given is None)
        if not chosen:
            return
        done = self.world.deliver(
            [self.tampered(each.packet) for each in chosen],
            chosen[0].source,
            chosen[0].dest,
            self.user(),
        )
        self.note(chosen[0].dest, done)
        for each in chosen:
            each.given = written(done).get(each.packet.sequence, each.given)

    def carry(self) -> None:
        """Deliver, and bring back what was written, as relayers do all the time."""
        chosen = self.some_flying(lambda each: each.given is None)
        if not chosen:
            return
        route = (chosen[0].source, chosen[0].dest, self.user())
        done = self.world.deliver([each.packet for each in chosen], *route)
        self.note(chosen[0].dest, done)
        answers = written(done)
        for each in chosen:
            each.given = answers.get(each.packet.sequence, each.given)
        answered = [(each.packet, each.given) for each in chosen if each.given is not None]
        if answered:
            self.note(route[0], self.world.acknowledge(answered, *route))
            self.flying = [each for each in self.flying if each not in chosen]

    def tampered(self, packet: Packet) -> Packet:
        """Give a packet, rarely another one under its sequence."""
        if not self.rarely():
            return packet
        payload = packet.payloads[0]
        return self.pick(
            [
                replace(packet, sequence=0),
                replace(packet, timeout=packet.timeout + 1),
                replace(packet, source_client="another-client"),
                replace(packet, payloads=()),
                replace(packet, payloads=(replace(payload, version=" "),)),
                replace(packet, payloads=(replace(payload, version="v2"),)),
                replace(packet, payloads=(replace(payload, source_port="other"),)),
                replace(packet, payloads=(replace(payload, dest_port="nobody"),)),
                replace(packet, payloads=(replace(payload, encoding="json"),)),
                replace(packet, payloads=(replace(payload, value=payload.value + bytes(2)),)),
                replace(packet, payloads=(replace(payload, value=bytes(2049)),)),
                replace(packet, payloads=(payload, payload)),
            ]
        )

    def acknowledge(self) -> None:
        chosen = self.some_flying(lambda each: each.given is not None)
        if not chosen:
            return
        first = chosen[0]
        fake = self.pick([UNIVERSAL_ERROR_ACKNOWLEDGEMENT, b"\x01", b"", b"odd"])
        answered = [
            (
                self.tampered(each.packet),
                (fake,) if each.given is None or self.rarely() else each.given,
            )
            for each in chosen
        ]
        done = self.world.acknowledge(answered, first.source, first.dest, self.user())
        self.note(first.source, done)

    def time_out(self) -> None:
        now = min(twin.evm.time for twin in self.world.twins)
        chosen = self.some_flying(lambda each: each.given is None and each.packet.timeout <= now)
        if not chosen:
            return
        done = self.world.time_out(
            [self.tampered(each.packet) for each in chosen],
            chosen[0].source,
            chosen[0].dest,
            self.user(),
        )
        self.note(chosen[0].source, done)

    def forge(self) -> None:
        """Deliver what no ledger sent: a committee with stolen keys signs it."""
        index, twin = self.ledger()
        dest = self.other(index)
        there = self.world.twins[dest]
        self.forged += 1
        if self.rng.random() < 0.5:
            model = self.pick([*self.models, *UNLIKE])
            ledgers = [each.ledger for each in self.world.twins]
            model = replace(
                model,
                path=tuple(self.pick([[], [], [twin.ledger], [there.ledger], ledgers, [b"x"]])),
                home=model.home if not self.rarely() else self.pick([*ODD_HOMES, twin.ledger]),
                publisher=model.publisher if not self.rarely() else self.pick(ODD_PUBLISHERS),
                name=self.pick([model.name] * 5 + ["other", "Bad name"]),
                stated=self.pick(
                    [model.stated] * 4
                    + [
                        replace(model.stated, version="latest"),
                        replace(model.stated, manifest=bytes(32)),
                    ]
                ),
            )
            to = self.pick([self.user()] * 5 + [bytes(20), there.site.bridge, b"x"])
            value = ModelTransfer(
                model, self.user(), to, self.pick([0, twin.evm.height]), self.pick([0, 0, 1, 9001])
            ).encode()
            payload = Payload(
                "model", "model", "caimi-model-3", "application/x-solidity-abi", value
            )
        else:
            dest, index, token, paid_in, amount = self.offer(True)
            twin, there = self.world.twins[index], self.world.twins[dest]
            order = LicenceOrder(
                token,
                self.pick(VERSIONS[:3]),
                self.pick([twin, twin, there]).site.here(self.user()),
                paid_in,
                amount,
            )
            payload = Payload(
                "licence",
                "licence",
                "caimi-licence-2",
                "application/x-solidity-abi",
                order.encode(),
            )
        if self.rng.random() < 0.3:
            payload = replace(payload, value=self.garbled(payload.value))
        packet = Packet(
            self.forged,
            self.world.route[index, dest],
            self.world.route[dest, index],
            there.evm.time + 100,
            (payload,),
        )
        self.note(dest, self.world.deliver([packet], index, dest, self.user()))

    def forge_for_scripts(self) -> None:
        """Deliver packets of several payloads to applications that always answer the same."""
        index, _ = self.ledger()
        dest = self.other(index)
        until = self.world.twins[dest].evm.time + self.pick([0, 100, 100])
        route = (self.world.route[index, dest], self.world.route[dest, index])
        packets = []
        for _ in range(self.rng.randint(1, 3)):
            self.forged += 1
            ports = [self.pick([*PORTS, "nobody"]) for _ in range(self.pick([1, 1, 2, 3]))]
            payloads = tuple(Payload("any", port, "v1", "raw", b"hi") for port in ports)
            packets.append(Packet(self.forged, *route, until, payloads))
        self.world.deliver(packets, index, dest, self.user())
        if self.rng.random() < 0.5:
            self.world.deliver(packets, index, dest, self.user())

    def answer_by_hand(self) -> None:
        """Nobody but the application answers later."""
        index, twin = self.ledger()
        _, client_id = self.client(index)
        sequence = self.rng.randint(FORGED, self.forged)
        gateway = twin.contracts.gateway
        twin.step(
            self.user(),
            lambda call: gateway.write_acknowledgement(call, client_id, sequence, b"x"),
            "Gateway",
            "writeAcknowledgement",
            client_id,
            sequence,
            b"x",
        )

    def garbled(self, value: bytes) -> bytes:
        """Give a payload's value with something changed, that stays ASCII where it is text."""
        changed = bytearray(value)
        for _ in range(self.rng.randint(1, 3)):
            changed[self.rng.randrange(len(changed))] = self.rng.choice([0, 1, 0x20, 0x40, 0x7F])
        return bytes(changed[: len(changed) - self.pick([0, 0, 0, 1, 32])])

    def wait(self) -> None:
        seconds = self.pick([1, 60, 60, 3600, DAY // 3, DAY])
        for twin in self.world.twins:
            twin.pass_time(seconds, self.pick([1, 5]))

    # --- afterwards -----------------------------------------------------------------------------

    def compare(self) -> None:
        """Compare all that can be read."""
        for index, twin in enumerate(self.world.twins):
            self._compare_gateway(index, twin)
            self._compare_registry(twin)
            self._compare_market(index, twin)

    def _compare_gateway(self, index: int, twin: Twin) -> None:
        gateway, state = twin.contracts.gateway, twin.state
        keys, found = [], []
        for other in range(len(self.world.twins)):
            if other == index:
                continue
            client_id = self.world.route[index, other]
            forged = range(FORGED + 1, self.forged + 1)
            for sequence in [*range(1, 12), *forged]:
                keys.append(Path.commitment(client_id, sequence).key)
                found.append(gateway.commitments.get(state, Path.commitment(client_id, sequence)))
                keys.append(Path.acknowledgement(client_id, sequence).key)
                found.append(
                    gateway.commitments.get(state, Path.acknowledgement(client_id, sequence))
                )
            route = gateway.routes.get(state, client_id)
            twin.read(route.next_sequence, "Gateway", "nextSequenceSend", client_id)
            twin.read(route.paused, "Gateway", "routePaused", client_id)
            twin.read(
                (route.client, route.counterparty, route.ledger), "Gateway", "getClient", client_id
            )
            account = twin.contracts.bridge.accountant.account(state, client_id)
            twin.read((account.out, account.cap), "ModelBridge", "outstanding", client_id)
            for limits, name in (
                (twin.contracts.bridge.limits, "ModelBridge"),
                (twin.contracts.market.limits, "LicenceMarket"),
            ):
                twin.read(limits.breaker_open(state, client_id), name, "breakerOpen", client_id)
                for receiving in (False, True):
                    twin.read(
                        limits.available(state, client_id, twin.evm.time, receiving=receiving),
                        name,
                        "available",
                        client_id,
                        receiving,
                    )
        twin.read([each or b"" for each in found], "Gateway", "getCommitments", keys)

    def _compare_registry(self, twin: Twin) -> None:
        registry, state = twin.contracts.registry, twin.state
        known, bridge = registry.known, twin.contracts.bridge
        for number in range(3):

            def batch(number: int = number) -> Any:
                found = registry.publications.get(state, number)
                return (found.root, found.anchored_at, found.count, found.anchorer)

            twin.read(batch, "ModelRegistry", "batch", number)
        for root in (b"\1" * 32, b"\2" * 32):
            for user in (key.account for key in USERS):
                anchored = twin.contracts.receipts.anchored(state, user, root) or 0
                twin.read(anchored, "ReceiptLog", "anchored", user, root)
        for token in self.tokens:
            number = int.from_bytes(token)

            def model(token: TokenId = token) -> Any:
                found = known.model(state, token)
                home = found.home or twin.site.here(twin.site.registry)
                return (found.publisher, found.name, home, found.version_count)

            twin.read(model, "ModelRegistry", "model", number)
            twin.read(
                lambda token=token: as_foreign(known.visiting(state, token)),
                "ModelRegistry",
                "foreign",
                number,
            )
            twin.read(
                lambda token=token: registry.ownership.require_owner(state, token),
                "ModelRegistry",
                "ownerOf",
                number,
            )
            twin.read(
                lambda token=token: registry.ownership.approved(state, token),
                "ModelRegistry",
                "getApproved",
                number,
            )
            for index in range(3):
                twin.read(
                    lambda token=token, index=index: known.version_at(state, token, index),
                    "ModelRegistry",
                    "versionAt",
                    number,
                    index,
                )
            for name in ALIASES[:2]:
                length = known.alias_length(state, token, name)
                twin.read(length, "ModelRegistry", "aliasHistoryLength", number, name)
                twin.read(
                    lambda token=token, name=name: known.alias(state, token, name),
                    "ModelRegistry",
                    "getAlias",
                    number,
                    name,
                )
                if length:
                    entry = known.alias_at(state, token, name, 0)
                    twin.read(
                        (entry.version, entry.time),
                        "ModelRegistry",
                        "aliasHistoryAt",
                        number,
                        name,
                        0,
                    )
            for name in VERSIONS[:3]:
                version = known.version(state, token, version_id(name))
                record = (
                    (bytes(32), 0, False)
                    if version is None
                    else (version.manifest, version.published_at, version.deprecated)
                )
                twin.read(record, "ModelRegistry", "getVersion", number, version_id(name))
            passage = bridge.passage(state, token)
            lock = (
                (passage.left_by, passage.sequence, passage.whereabouts.name == "AWAY")
                if passage.locked
                else ("", 0, False)
            )
            twin.read(lock, "ModelBridge", "locked", number)
            twin.read(passage.came_by, "ModelBridge", "cameBy", number)

    def _compare_market(self, index: int, twin: Twin) -> None:
        market, state = twin.contracts.market, twin.state
        for token in self.tokens:
            number = int.from_bytes(token)
            tally = market.licences.tally(state, token)
            twin.read((tally.live, tally.digest), "LicenceMarket", "tally", number)
            for ledger, paid_in in [
                *((each.ledger, COIN) for each in self.world.twins),
                *((WORD_LEDGER, each) for each in WORD_ASSETS),
            ]:

                def price(
                    token: TokenId = token, ledger: Any = ledger, paid_in: Currency = paid_in
                ) -> Any:
                    now = market.offers.price(state, token, ledger, paid_in)
                    return (False, 0, b"") if now is None else (True, now.amount, now.payee)

                twin.read(price, "LicenceMarket", "price", number, ledger, paid_in)
            for user in (key.account for key in USERS):
                consumer = twin.site.here(user)
                licence = licence_id(token, version_id(VERSIONS[0]), consumer)
                record = market.licences.get(state, licence)
                twin.read(
                    (0, False) if record is None else (record.granted_at, record.revoked),
                    "LicenceMarket",
                    "licence",
                    licence,
                )
        for account in everyone:
            for paid_in in (COIN, TOKEN_CURRENCY):
                owed = market.treasury.owed(state, account, paid_in)
                twin.read(owed, "LicenceMarket", "owed", account, paid_in or bytes(20))
            balance = twin.coins.balance(twin.call(account), account)
            if account in [key.account for key in USERS]:
                assert twin.evm.balance(account) == balance
        for paid_in in (COIN, TOKEN_CURRENCY):
            held = market.treasury.held(state, paid_in)
            twin.read(held, "LicenceMarket", "held", paid_in or bytes(20))
        for other in range(len(self.world.twins)):
            if other == index:
                continue
            for sequence in range(1, 8):
                purchase = purchase_id(self.world.route[index, other], sequence)
                bought = market.purchases.get(state, purchase)
                found = (
                    (bytes(20), bytes(20), 0, False, 0, 0, bytes(32), bytes(20), 0)
                    if bought is None
                    else (
                        bought.buyer,
                        bought.reader,
                        bought.stage,
                        bought.counted,
                        bought.deposit,
                        bought.token,
                        bought.version,
                        bought.currency,
                        bought.amount,
                    )
                )
                twin.read(found, "LicenceMarket", "purchase", purchase)
                if bought is not None:
                    self._compare_live(twin, self.world.route[index, other], bought)

    def _compare_live(self, twin: Twin, client_id: ClientId, bought: PurchaseRecord) -> None:
        parties = (bought.buyer, bought.reader)
        live = twin.contracts.market.purchases.of(
            twin.state, client_id, bought.token, (bought.version, *parties)
        )
        number = int.from_bytes(bought.token)
        twin.read(
            live or bytes(32),
            "LicenceMarket",
            "purchaseOf",
            client_id,
            number,
            bought.version,
            *parties,
        )


def as_foreign(model: VisitingModel) -> tuple[Any, ...]:
    """Give a visiting model as Solidity's struct."""
    stated = model.stated
    return (
        model.home,
        model.publisher,
        model.name,
        list(model.path),
        (
            stated.time,
            stated.version_count,
            stated.version,
            stated.manifest,
            stated.licence_count,
            stated.licence_digest,
        ),
    )


OFTEN = (
    Trace.publish,
    Trace.publish,
    Trace.send,
    Trace.send,
    Trace.carry,
    Trace.carry,
    Trace.deliver,
    Trace.acknowledge,
    Trace.set_prices,
    Trace.buy_remote,
    Trace.time_out,
)
SOMETIMES = (
    Trace.publish_version,
    Trace.set_alias,
    Trace.deprecate,
    Trace.anchor_batch,
    Trace.publish_from_batch,
    Trace.transfer,
    Trace.approve,
    Trace.approve_all,
    Trace.mint_by_hand,
    Trace.anchor_receipts,
    Trace.grant,
    Trace.revoke,
    Trace.buy,
    Trace.withdraw,
    Trace.set_deposit,
    Trace.refund_dead,
    Trace.unlock_dead,
    Trace.pause_bridge,
    Trace.set_limits,
    Trace.set_limits,
    Trace.set_limits,
    Trace.break_route,
    Trace.cap_supply,
    Trace.pause_route,
    Trace.administer_routes,
    Trace.send_by_hand,
    Trace.freeze,
    Trace.forge,
    Trace.forge,
    Trace.forge,
    Trace.forge_for_scripts,
    Trace.forge_for_scripts,
    Trace.answer_by_hand,
    Trace.wait,
)
OPERATIONS = OFTEN * 3 + SOMETIMES
"""What a trace does, the common things more often."""


def play(world: Ledgers, rng: Random, steps: int) -> Trace:
    """Play a trace, compare all that can be read, and undo it."""
    ends = [twin.branch() for twin in world.twins]
    try:
        trace = Trace(world, rng)
        for _ in range(steps):
            rng.choice(OPERATIONS)(trace)
        trace.compare()
        return trace
    finally:
        for end in ends:
            end()
