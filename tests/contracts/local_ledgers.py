"""Two ledgers that are as unlike EVM as can be, joined by a route: the contracts alone.

Accounts are words, keys are Ed25519, and nothing is computed from addresses. Alpha has no coins,
beta has. The committee's keys are secp256k1, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_abi.abi import encode

from caimi.chains import InteroperableAddress
from caimi.contracts.authority import AuthorityRole
from caimi.contracts.committees import KnownCommittee
from caimi.contracts.deployment import Contracts
from caimi.contracts.execution import Effect, Executed, Execution, execute, refuse
from caimi.contracts.identifiers import Account, ClientId, Currency, InteroperableLedger, TokenId
from caimi.contracts.records import Table
from caimi.contracts.site import SignedPublication, Site
from caimi.contracts.state import MemoryState, Overlay, State
from caimi.hashing import keccak256, sha256
from caimi.ibc.statements import PROOF_TYPE, Kind, statement_digest
from caimi.merkle import MerkleTree, leaf_hash
from contracts.evm_accounts import Key

ALICE, BOB, CAROL = Account(b"alice"), Account(b"bob"), Account(b"carol")
ADMIN, GUARD, LEAVER = Account(b"admin"), Account(b"guard"), Account(b"exit")
MEMBERS = sorted((Key.of(f"local {n}") for n in range(4)), key=lambda key: key.account)
COMMITTEE = KnownCommittee(0, 3, tuple(key.account for key in MEMBERS), bytes(range(4)))
CLIENT = Account(b"committee-client")
START = 1_700_000_000
FUNDS = 1_000
NO_ROUTE = ClientId("")


def secret_of(account: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(b"key of " + account))


def sign(publication: SignedPublication) -> bytes:
    return secret_of(publication.publisher).sign(repr(publication).encode())


class WordAccounts:
    """Accounts are lower-case words."""

    def is_account(self, native: bytes) -> bool:
        return native.isalpha() and native.islower()

    def signed(self, publication: SignedPublication, signature: bytes) -> bool:
        public = secret_of(publication.publisher).public_key()
        try:
            public.verify(signature, repr(publication).encode())
        except InvalidSignature:
            return False
        return True


_BALANCES: Table[tuple[Account, Currency], int] = Table("coins", int)


class WordCoins:
    """Everybody begins with `FUNDS` of everything."""

    def balance(self, state: State, account: Account, currency: Currency) -> int:
        found = _BALANCES.get(state, (account, currency))
        return FUNDS if found is None else found

    def take(self, call: Execution, currency: Currency, amount: int) -> None:
        left = self.balance(call.state, call.caller, currency) - amount
        if left < 0:
            refuse("NotEnough", currency=currency)
        _BALANCES.put(call.state, (call.caller, currency), left)

    def pay(self, call: Execution, to: Account, currency: Currency, amount: int) -> None:
        _BALANCES.put(call.state, (to, currency), self.balance(call.state, to, currency) + amount)


@dataclass
class LocalLedger:
    """One ledger: its contracts over a state, and a clock."""

    contracts: Contracts
    coins: WordCoins | None
    state: State = field(default_factory=MemoryState)
    height: int = 10
    time: int = START
    route: ClientId = NO_ROUTE

    @classmethod
    def named(cls, name: str, coins: WordCoins | None = None) -> LocalLedger:
        ledger = InteroperableLedger(InteroperableAddress.from_caip(f"local:{name}").to_bytes())
        words = (b"gateway", b"registry", b"bridge", b"market")
        site = Site(ledger, *(Account(word) for word in words))
        made = cls(Contracts.over(site, WordAccounts(), coins), coins)
        made.do(ADMIN, lambda call: made.contracts.found(call, ADMIN, GUARD))
        made.do(ADMIN, lambda c: made.contracts.authority.grant(c, AuthorityRole.EXIT, LEAVER))
        return made

    @property
    def site(self) -> Site:
        return self.contracts.site

    @property
    def gateway(self) -> bytes:
        return self.site.here(self.site.gateway)

    def call(self, caller: Account) -> Execution:
        return Execution(self.state, self.height, self.time, caller)

    def do(self, caller: Account, act: Callable[[Execution], Any]) -> Executed[Any]:
        """Make a call, which lasts."""
        return execute(self.call(caller), act)

    def effects(self, caller: Account, act: Callable[[Execution], Any], kind: type) -> list[Any]:
        return [each for each in self.do(caller, act).effects if isinstance(each, kind)]

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo all that is done in the block."""
        kept = (self.state, self.height, self.time)
        self.state = Overlay(self.state)
        yield
        self.state, self.height, self.time = kept

    def publish(self, owner: Account = ALICE, name: str = "digits") -> TokenId:
        registry = self.contracts.registry
        done = self.do(owner, lambda c: registry.publish(c, name, "1.0.0", b"\7" * 32))
        return TokenId(done.result)

    def approve(self, owner: Account, token: TokenId) -> None:
        ownership, bridge = self.contracts.registry.ownership, self.site.bridge
        self.do(owner, lambda call: ownership.approve(call, bridge, token))


@dataclass
class LocalPair:
    """Alpha without coins and beta with, joined."""

    alpha: LocalLedger
    beta: LocalLedger

    @classmethod
    def made(cls, coins: bool = False) -> LocalPair:
        alpha = LocalLedger.named("alpha", WordCoins() if coins else None)
        beta = LocalLedger.named("beta", WordCoins())
        for here, there in ((alpha, beta), (beta, alpha)):
            contracts, gateway, ledger = here.contracts, there.gateway, there.site.ledger
            here.do(
                ADMIN,
                lambda c, k=contracts, g=gateway: k.clients.add(c, CLIENT, g, COMMITTEE),
            )
            here.route = here.do(
                ADMIN, lambda c, k=contracts, n=ledger: k.gateway.routes.add(c, CLIENT, n)
            ).result
        for here, there in ((alpha, beta), (beta, alpha)):
            routes = here.contracts.gateway.routes
            here.do(
                ADMIN,
                lambda c, r=routes, a=here.route, b=there.route: r.set_counterparty(c, a, b),
            )
        return cls(alpha, beta)


@dataclass(frozen=True)
class Claimed:
    """A statement as a committee would sign it; tests change what they want wrong."""

    origin: bytes
    facts: Sequence[tuple[bytes, bytes]]
    kind: Kind = Kind.CHECKPOINT
    height: int = 10
    time: int = START
    committee: KnownCommittee = COMMITTEE
    signing: tuple[int, ...] = (0, 1, 2)
    start: int | None = None
    size: int | None = None
    root: bytes | None = None

    @classmethod
    def about(cls, ledger: LocalLedger, facts: Sequence[tuple[bytes, bytes]]) -> Claimed:
        return cls(keccak256(ledger.gateway), facts, height=ledger.height, time=ledger.time)

    @property
    def members(self) -> tuple[bytes, bytes, int, int, int, bytes, int]:
        start = self.height - (self.kind is Kind.CHECKPOINT) if self.start is None else self.start
        root = self._tree.root if self.root is None else self.root
        size = len(self.facts) if self.size is None else self.size
        return (
            self.origin,
            self.committee.hash,
            start,
            self.height,
            self.time,
            root,
            size,
        )

    @property
    def _tree(self) -> MerkleTree:
        return MerkleTree(leaf_hash(key + value) for key, value in self.facts)

    @property
    def order(self) -> tuple[int, ...]:
        return self._tree.multiproof(range(len(self.facts))).order

    def signatures(self) -> list[bytes]:
        digest = statement_digest(self.kind, self.members)
        keys = {key.account: key for key in MEMBERS}
        return [keys[self.committee.members[place]].sign(digest) for place in self.signing]

    def value(self, signatures: bytes | None = None, signers: int | None = None) -> tuple[Any, ...]:
        proved = self._tree.multiproof(range(len(self.facts)))
        bits = sum(1 << place for place in self.signing) if signers is None else signers
        signed = b"".join(self.signatures()) if signatures is None else signatures
        return (self.members, bits, signed, proved.proof, proved.flags)

    def proof(self, signatures: bytes | None = None, signers: int | None = None) -> bytes:
        return encode((PROOF_TYPE,), (self.value(signatures, signers),))

    def evidence(self) -> bytes:
        kind = int(self.kind is Kind.ABSENCE)
        return encode(("uint8", PROOF_TYPE), (kind, self.value()))

    def but(self, **changes: Any) -> Claimed:
        return replace(self, **changes)


def only(effects: Sequence[Effect], kind: type) -> Any:
    """Give the one effect of a kind."""
    (found,) = (each for each in effects if isinstance(each, kind))
    return found
