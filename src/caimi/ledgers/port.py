"""The ledger port: what every ledger family offers, in words that name no family.

Roles (custodians, validators, relayers, workers, publishers and consumers) know this module and
never an adapter. Reads take ``at``, a height; ``None`` reads the newest state. Writes come in two
halves: a facet builds a `Call`, which has no effect, and `Ledger.submit` sends it. Between the two
the signed transaction can be written down (`Outbox`), so that a process killed anywhere sends it
once.

All heights are block numbers, all times seconds since the epoch, all amounts the smallest unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NewType, Protocol

from caimi.ibc.packet import Packet
from caimi.ledgers.client_proofs import StateProof

if TYPE_CHECKING:
    from caimi.ledgers.light_clients import LightClients

LedgerId = NewType("LedgerId", str)
"""A CAIP-2 chain id, such as ``eip155:31337``."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block as a ledger reports it."""

    height: int
    time: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """A state change that a facet has built and nobody has sent yet.

    `what` says it in words for progress displays and errors; `target`, `data` and `value` mean
    something only to the ledger that built it. `work` is what the caller knows to suffice (gas on
    EVM ledgers); 0, or too little, has the ledger estimate it, which costs a node far more.
    """

    ledger: LedgerId
    what: str
    target: bytes
    data: bytes
    value: int = 0
    work: int = 0


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A signed transaction: however often it is broadcast, it takes effect at most once."""

    ledger: LedgerId
    what: str
    tx: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded event of this deployment's contracts."""

    name: str
    values: dict[str, object] = field(hash=False)
    tx: str
    height: int
    index: int


@dataclass(frozen=True, slots=True)
class TxReceipt:
    """What a transaction did.

    `work` is gas on EVM ledgers, `fee` what the sender paid for it, `created` the account of a
    contract that it created.
    """

    ledger: LedgerId
    tx: str
    height: int
    time: int
    work: int
    fee: int
    events: tuple[Event, ...] = ()
    created: bytes = b""


class Signer(Protocol):
    """Somebody's account key, wherever it is kept (a keystore, a KMS)."""

    @property
    def account(self) -> bytes:
        """The account's native bytes: 20 on an EVM ledger."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest with secp256k1: r || s || v (65 bytes, low s, v 27 or 28)."""


class Outbox(Protocol):
    """Where signed transactions are written down before they are broadcast."""

    async def sent(self, key: str) -> SignedCall | None:
        """Give what was recorded under `key`, or None."""

    async def record(self, key: str, call: SignedCall) -> None:
        """Write `call` down durably under `key`; later attempts come as ``key#1`` and so on."""


# --- models -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model as a registry knows it.

    `home` is the home registry (ERC-7930), empty at home; `owner` is empty when nobody holds it.
    """

    model_id: bytes
    name: str
    publisher: bytes
    owner: bytes
    home: bytes
    version_count: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What a model's home ledger said of it at `time`, when the model left: no newer than that.

    `version` is the one published last, `manifest` its digest. `licences` are those granted and not
    revoked; `licence_digest` (24 bytes) is over the grants and revocations, in order.
    """

    time: int
    version_count: int
    version: str
    manifest: bytes
    licences: int
    licence_digest: bytes


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """A model of another ledger, and how it came.

    `path` are the ledgers between its home and here, in the order of the voyage. Each of them, and
    the home, can have lied about all of this; nobody else can.
    """

    home: bytes
    publisher: bytes
    name: str
    path: tuple[LedgerId, ...]
    stated: Statement


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One release. `manifest` is the SHA-256 of its canonical manifest."""

    version: str
    manifest: bytes
    published_at: int
    deprecated: bool


@dataclass(frozen=True, slots=True)
class AliasChange:
    """One entry of an alias's append-only history."""

    version: str
    time: int


@dataclass(frozen=True, slots=True)
class Publication:
    """What a batch leaf commits to: (publisher, model id, version id, manifest digest)."""

    publisher: bytes
    name: str
    version: str
    manifest: bytes


@dataclass(frozen=True, slots=True)
class PublicationBatch:
    """An anchored Merkle root over publications."""

    batch_id: int
    root: bytes
    anchored_at: int
    count: int
    anchorer: bytes


class Registry(Protocol):
    """Ownership, versions and aliases of models on one ledger."""

    @property
    def address(self) -> bytes:
        """ERC-7930 interoperable address of the registry."""
        ...

    def model_id(self, publisher: bytes, name: str) -> bytes: ...
    def token_id(self, model_id: bytes, path: Sequence[LedgerId]) -> bytes:
        """Give the id under which a model is known here after it came over `path`."""
        ...

    async def foreign(self, token_id: bytes, at: int | None = None) -> ForeignModel:
        """Give what came with a foreign model, last time it came; raises `ModelAway` at home."""
        ...

    async def model(self, model_id: bytes, at: int | None = None) -> ModelRecord:
        """Give the model; raises `UnknownModel` when this ledger has none of that id."""
        ...

    async def find(self, model_id: bytes, at: int | None = None) -> ModelRecord | None:
        """Give the model, or None."""
        ...

    async def models(self, from_height: int, to_height: int) -> list[ModelRecord]:
        """Models registered in blocks (from_height, to_height], with their present owners."""
        ...

    async def versions(self, model_id: bytes, at: int | None = None) -> list[VersionRecord]: ...
    async def version(
        self, model_id: bytes, version: str, at: int | None = None
    ) -> VersionRecord: ...
    async def publisher_of(self, model_id: bytes, version: str) -> bytes:
        """Give the account that published a version; raises `UnknownVersion` when none did.

        A model's later owners publish versions as well.
        """
        ...

    async def alias(self, model_id: bytes, name: str, at: int | None = None) -> str: ...
    async def alias_history(
        self, model_id: bytes, name: str, at: int | None = None
    ) -> list[AliasChange]: ...
    async def history(self, model_id: bytes) -> list[Event]:
        """Every event about the model on this ledger, oldest first."""
        ...

    def publish(self, name: str, version: str, manifest: bytes) -> Call: ...
    def publish_version(self, model_id: bytes, version: str, manifest: bytes) -> Call: ...
    def set_alias(self, model_id: bytes, name: str, version: str) -> Call: ...
    def deprecate(self, model_id: bytes, version: str, reason: str) -> Call: ...
    def transfer(self, model_id: bytes, sender: bytes, recipient: bytes) -> Call: ...
    def approve(self, model_id: bytes, operator: bytes) -> Call: ...
    async def approved(self, model_id: bytes) -> bytes: ...

    def publication_leaf(self, publication: Publication) -> bytes: ...
    def publication_digest(self, publication: Publication) -> bytes:
        """Give the EIP-712 digest the publisher signs."""
        ...

    def anchor_batch(self, root: bytes, count: int) -> Call: ...
    async def batch(self, batch_id: int, at: int | None = None) -> PublicationBatch: ...
    def publish_from_batch(
        self, batch_id: int, publication: Publication, proof: Sequence[bytes], signature: bytes
    ) -> Call: ...


# --- licences -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Price:
    """One price. `ledger` is the paying ledger; `currency` empty is its native coin."""

    ledger: LedgerId
    currency: bytes
    amount: int
    offered: bool = True


class PurchaseState(Enum):
    """Where a cross-ledger purchase stands."""

    NONE = 0
    PENDING = 1
    COMPLETED = 2
    REFUNDED = 3


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase as the paying ledger's market knows it."""

    purchase_id: bytes
    buyer: bytes
    state: PurchaseState
    model_id: bytes
    version_id: bytes
    currency: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class Licence:
    """A consumer's right to a version, as the home ledger knows it (consumers are ERC-7930)."""

    licence_id: bytes
    granted_at: int
    revoked: bool

    @property
    def live(self) -> bool:
        """Whether custodians honour it."""
        return self.granted_at > 0 and not self.revoked


class Market(Protocol):
    """Licences: prices and grants at home, payment anywhere."""

    def set_prices(self, model_id: bytes, prices: Sequence[Price]) -> Call: ...
    async def price(
        self, model_id: bytes, ledger: LedgerId, currency: bytes = b"", at: int | None = None
    ) -> int | None:
        """Give the price payable on `ledger`, or None when it is not for sale there."""
        ...

    def buy(self, model_id: bytes, version: str, currency: bytes, amount: int) -> Call: ...
    async def relay_deposit(self) -> int:
        """Give what a purchase from here pays, in native coins, to whoever brings its end."""
        ...

    async def buy_remote(
        self,
        client_id: str,
        model_id: bytes,
        version: str,
        currency: bytes,
        amount: int,
        expiry: int,
    ) -> Call:
        """Buy a licence of a model behind `client_id`; the call pays the relay deposit too."""
        ...

    def grant(self, model_id: bytes, version: str, consumer: bytes) -> Call: ...
    def revoke(self, licence_id: bytes) -> Call: ...
    async def licence(
        self, model_id: bytes, version: str, consumer: bytes, at: int | None = None
    ) -> Licence: ...
    async def tally(self, model_id: bytes, at: int | None = None) -> tuple[int, bytes]:
        """Give how many licences of a model are live, and the digest over all there ever were."""
        ...

    async def purchase(self, purchase_id: bytes, at: int | None = None) -> Purchase: ...
    async def purchase_of(
        self, client_id: str, model_id: bytes, version: str, buyer: bytes, at: int | None = None
    ) -> Purchase | None:
        """Give the buyer's pending or completed purchase of this version, if any."""
        ...

    async def owed(self, account: bytes, currency: bytes = b"", at: int | None = None) -> int: ...
    def withdraw(self, to: bytes, currency: bytes = b"") -> Call:
        """Pay out to `to` what the market owes the sender."""
        ...


# --- ownership over ledgers ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lock:
    """Where a model that left this ledger went."""

    client_id: str
    sequence: int
    completed: bool


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many models a route may send and receive now; none while its breaker is open.

    `out` of the ledger's models are away over the route; `cap` is how many may be.
    """

    sending: int
    receiving: int
    breaker_open: bool
    out: int
    cap: int


class Bridge(Protocol):
    """Moves ownership between ledgers."""

    @property
    def account(self) -> bytes:
        """The bridge's native account, which must be approved for the token before `send`."""
        ...

    def send(
        self, client_id: str, model_id: bytes, recipient: bytes, timeout: int, min_depth: int = 0
    ) -> Call:
        """Send the model back the way it came, or on to a ledger that it has not been on.

        The other side takes it when `min_depth` blocks lie on the one that sends.
        """
        ...

    async def lock(self, model_id: bytes, at: int | None = None) -> Lock | None: ...
    async def came_by(self, model_id: bytes, at: int | None = None) -> str:
        """Give the client by which a foreign model came and goes back; empty for home models."""
        ...

    async def outcome(self, model_id: bytes, client_id: str, sequence: int) -> str:
        """Give ``pending``, ``completed`` or ``refunded`` for a transfer sent from here.

        ``unknown`` where the ledger shows no such transfer: it was not made, or a node lags.
        """
        ...

    async def allowance(self, client_id: str) -> Allowance:
        """Give what a route may carry now."""
        ...


# --- packets ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SentPacket:
    """A packet this ledger's gateway committed to, and where.

    It must be proved at the height `ready` or a later one, because its sender asked for that.
    """

    packet: Packet
    tx: str
    height: int
    ready: int = 0


@dataclass(frozen=True, slots=True)
class WrittenAcknowledgement:
    """The acknowledgements this ledger's gateway wrote for a packet it received."""

    dest_client: str
    sequence: int
    acknowledgements: tuple[bytes, ...]
    tx: str
    height: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """A packet that a ledger received: (destination client, sequence).

    `packet` is as it was delivered and `proof` what proved it; None and empty when the transaction
    does not show them. `deferred` when its acknowledgement is written later.
    """

    dest_client: str
    sequence: int
    height: int
    tx: str
    deferred: bool
    packet: Packet | None
    proof: bytes


@dataclass(frozen=True, slots=True)
class Ending:
    """A packet that ended on the ledger that sent it: acknowledged, or else timed out.

    `acknowledgements` are those it was acknowledged with and `proof` what proved them; None and
    empty when it timed out, or when the transaction does not show them.
    """

    source_client: str
    sequence: int
    height: int
    tx: str
    acknowledged: bool
    acknowledgements: tuple[bytes, ...] | None
    proof: bytes


@dataclass(frozen=True, slots=True)
class Route:
    """A client registered at a gateway: this ledger's view of one other ledger."""

    client_id: str
    counterparty_client_id: str
    counterparty: LedgerId


@dataclass(frozen=True, slots=True)
class Committee:
    """The signers one epoch of a committee client accepts; 20-byte addresses, ascending.

    `operators` has a byte for each member that says who runs it: equal bytes, one operator.
    """

    epoch: int
    threshold: int
    members: tuple[bytes, ...]
    operators: bytes
    hash: bytes


class Gateway(Protocol):
    """The IBC v2 router of one ledger."""

    @property
    def address(self) -> bytes:
        """ERC-7930 interoperable address of the gateway; its keccak256 is a checkpoint's origin."""
        ...

    async def routes(self) -> list[Route]: ...
    async def committee(self, client_id: str, at: int | None = None) -> Committee:
        """Give the present committee of the route's client."""
        ...

    async def sent(self, from_height: int, to_height: int) -> list[SentPacket]:
        """Packets committed in blocks (from_height, to_height], in log order."""
        ...

    async def traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        """Packets committed and acknowledgements written in those blocks, each in log order.

        As far as the node shows: it can leave some out without a word.
        """
        ...

    async def whole_traffic(
        self, from_height: int, to_height: int
    ) -> tuple[list[SentPacket], list[WrittenAcknowledgement]]:
        """Give what `traffic` gives, and nothing less: checked against what the blocks commit to.

        Raises:
            EventsMissing: the node left something out.
        """
        ...

    async def commitments(self, keys: Sequence[bytes], at: int | None = None) -> list[bytes]:
        """Give the 32-byte commitments at `keys` (keccak256 of ICS-24 paths); zero when absent."""
        ...

    async def receipts(
        self, packets: Sequence[tuple[str, int]], at: int | None = None
    ) -> list[bool]:
        """Whether each (destination client, sequence) has been received here."""
        ...

    async def state_proof(self, keys: Sequence[bytes], height: int) -> StateProof:
        """Prove what the gateway's state of block `height` says of the commitments at `keys`.

        Raises:
            LedgerRefused: the ledger gives no such proofs, or none of that height any more.
        """
        ...

    def receive(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> Call: ...
    def acknowledge(
        self,
        client_id: str,
        packets: Sequence[Packet],
        acknowledgements: Sequence[Sequence[bytes]],
        proof: bytes,
    ) -> Call: ...
    def time_out(self, client_id: str, packets: Sequence[Packet], proof: bytes) -> Call: ...


# --- fees for relayers ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RelayFee:
    """What `payer` escrowed, at `height`, for `relayer` to carry one packet sent from here.

    Accounts are native; `timeout` is the packet's, in seconds.
    """

    client_id: str
    sequence: int
    relayer: bytes
    payer: bytes
    amount: int
    timeout: int
    height: int


class RelayFees(Protocol):
    """Escrow of relayers' fees at the ledger that sends."""

    def escrow(self, packet: Packet, relayer: bytes, amount: int) -> Call:
        """Set aside `amount` native coins for the relayer of an open packet."""
        ...

    async def escrowed(self, relayer: bytes, from_height: int, to_height: int) -> list[RelayFee]:
        """Fees set aside for `relayer` in blocks (from_height, to_height], in log order."""
        ...

    async def held(self, fees: Sequence[RelayFee], at: int | None = None) -> list[int]:
        """Tell what is held under each fee's name; 0 when it has ended."""
        ...

    def claim(
        self,
        client_id: str,
        fees: Sequence[RelayFee],
        acknowledgements: Sequence[bytes],
        proof: bytes,
    ) -> Call:
        """Collect fees, by proof of the commitments to their packets' acknowledgements."""
        ...

    def refund(self, client_id: str, fees: Sequence[RelayFee], proof: bytes) -> Call:
        """Give fees back, by proof that their packets were not received in time."""
        ...

    async def owed(self, account: bytes) -> int:
        """Tell what `account` can withdraw."""
        ...

    def withdraw(self, to: bytes) -> Call:
        """Pay out to `to` what the sender is owed."""
        ...


# --- receipts -----------------------------------------------------------------------------------


class ReceiptLog(Protocol):
    """Merkle roots over workers' inference receipts."""

    def anchor(self, root: bytes, count: int) -> Call: ...
    async def anchored(self, worker: bytes, root: bytes, at: int | None = None) -> int | None:
        """When `worker` anchored `root`, in seconds; None when never."""
        ...

    async def entry(self, account: bytes, index: int, since: int, until: int) -> bytes | None:
        """Give the root that `account` anchored as its `index`-th, from 0, in these blocks.

        There is at most one for ever: the log counts each account's roots. None when the blocks
        from `since` to `until`, both included, show none.
        """
        ...


class Ledger(Protocol):
    """One ledger with CAIMI deployed on it."""

    @property
    def id(self) -> LedgerId: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def market(self) -> Market: ...
    @property
    def bridge(self) -> Bridge: ...
    @property
    def gateway(self) -> Gateway: ...
    @property
    def clients(self) -> LightClients: ...
    @property
    def fees(self) -> RelayFees: ...
    @property
    def receipts(self) -> ReceiptLog: ...
    @property
    def deployed_at(self) -> int:
        """Height of the deployment: no event of ours is older."""
        ...

    async def check(self) -> None:
        """Check that the ledger answers, is the one it is taken for, and has the contracts."""
        ...

    async def head(self) -> Block: ...
    async def finalized(self) -> Block:
        """Give the newest block that the ledger's finality policy trusts never to change."""
        ...

    async def block(self, height: int) -> Block: ...
    async def balance(self, account: bytes) -> int: ...
    async def approves(
        self, account: bytes, digest: bytes, signature: bytes, at: int | None = None
    ) -> bool:
        """Tell whether a contract at `account` takes a signature of 32 bytes as its own.

        Its code runs within bounds and without effect; whatever it does but say yes is no.
        """
        ...

    async def work_price(self) -> int:
        """Give what a unit of work (gas on EVM ledgers) costs now, in the smallest coin."""
        ...

    def address_of(self, account: bytes) -> bytes:
        """ERC-7930 interoperable address of an account here."""
        ...

    async def sign(self, call: Call, signer: Signer) -> SignedCall:
        """Check that `call` would succeed, price it, and sign it with the account's next nonce.

        The nonce is not reserved: broadcast before the account signs again.
        """
        ...

    async def broadcast(self, call: SignedCall) -> TxReceipt:
        """Send (again, harmlessly) and wait until it is included; raises when it failed."""
        ...

    async def submit(
        self, call: Call, signer: Signer, *, outbox: Outbox | None = None, key: str = ""
    ) -> TxReceipt:
        """Sign, record under `key` in `outbox` (when given), broadcast, replace when stuck, wait.

        When the outbox already holds `key`, that transaction is finished instead of a new one made;
        a new one is made only after the recorded one is proved dead at a final height.
        """
        ...

    async def transfer_coins(self, recipient: bytes, amount: int, signer: Signer) -> TxReceipt: ...
    async def wait_final(self, height: int) -> Block:
        """Wait until `height` is final."""
        ...

    async def aclose(self) -> None: ...
