"""The emergency exit: who gets what is locked towards a dead ledger, and how its committee says so.

What was paid for licences and is still on its way needs no list: it goes back to its buyers alone.
Where no model is locked, the committee signs the root of the empty list, `NOBODY`.

The list of heirs is an OpenZeppelin standard Merkle tree over (uint256 modelId, uint64 sequence,
address to). Members of the route's last committee sign its root as EIP-712
``Death(string clientId,uint64 number,uint64 height,bytes32 heirs)``; see `IEmergencyExit.sol`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from caimi.errors.ledgers import ExitInvalid
from caimi.hashing import keccak256
from caimi.hex_text import read_either_case
from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.administration.roles import seen
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.rpc.contract import Contract, account, word
from caimi.ledgers.port import Committee, Exactly
from caimi.merkle import MerkleTree, leaf_hash
from caimi.signatures import MalformedSignature, recover_account

if TYPE_CHECKING:
    from caimi.ledgers.evm.ledger import EvmLedger

_DOMAIN_TYPE = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_NAME, _VERSION = keccak256(b"CAIMI emergency exit"), keccak256(b"1")
_DEATH_TYPE = keccak256(b"Death(string clientId,uint64 number,uint64 height,bytes32 heirs)")
_FIELDS = {"model", "sequence", "to"}
_MOST_HEIRS = 1_000_000
NOBODY = keccak256(b"")
"""The root of a list that names nobody: it is the hash of no leaf and of no two nodes."""


@dataclass(frozen=True, slots=True)
class Beneficiary:
    """Who gets a model: its id on this ledger, the packet that took it away, and the account."""

    model_id: bytes
    sequence: int
    to: bytes

    @property
    def leaf(self) -> bytes:
        """The leaf in the list's tree."""
        types = ("uint256", "uint64", "address")
        return leaf_hash(encode(types, (word(self.model_id), self.sequence, account(self.to))))


def read_heirs(document: object) -> Beneficiaries:
    """Read a list of heirs: ``[{"model": "0x…", "sequence": 1, "to": "0x…"}, …]``.

    Raises:
        ExitInvalid: it is something else.
    """
    if not isinstance(document, list) or len(document) > _MOST_HEIRS:
        raise ExitInvalid(f"A list of heirs is a JSON array of at most {_MOST_HEIRS} entries.")
    heirs = []
    for place, entry in enumerate(document):
        fields = entry if isinstance(entry, dict) and set(entry) == _FIELDS else {}
        model, sequence, to = (fields.get(name) for name in ("model", "sequence", "to"))
        try:
            if type(sequence) is not int or not 0 < sequence < 1 << 64:  # JSON's true is an int
                raise ValueError
            heirs.append(
                Beneficiary(read_either_case(model, 32), sequence, read_either_case(to, 20))
            )
        except ValueError:
            raise ExitInvalid(
                f"Entry {place} of the list of heirs is no model, sequence and account."
            ) from None
    return Beneficiaries(heirs)


class Beneficiaries:
    """The list of one exit. The same heirs in any order have the same root.

    Raises `ExitInvalid` for a model that is in it twice.
    """

    def __init__(self, heirs: Sequence[Beneficiary]) -> None:
        self._places = {heir.model_id: place for place, heir in enumerate(heirs)}
        if len(self._places) != len(heirs):
            raise ExitInvalid("A list of heirs names a model twice.")
        self._heirs = tuple(heirs)
        self._tree = MerkleTree(heir.leaf for heir in heirs) if heirs else None

    @property
    def root(self) -> bytes:
        """What the committee signs."""
        return self._tree.root if self._tree else NOBODY

    def of(self, model_id: bytes) -> tuple[Beneficiary, tuple[bytes, ...]]:
        """Give a model's heir, and the proof that the list names it.

        Raises:
            ExitInvalid: the list does not name the model.
        """
        place = self._places.get(model_id)
        if place is None or self._tree is None:
            raise ExitInvalid(f"The list of heirs does not name model 0x{model_id.hex()}.")
        return self._heirs[place], self._tree.proof(place)


@dataclass(frozen=True, slots=True)
class DeathStatement:
    """The statement that a ledger is dead, as one exit of one route takes it.

    `chain` and `contract` are those of the exit, on the ledger that gives models back; `height` is
    the dead ledger's last final block, `heirs` the root of the list.
    """

    chain: int
    contract: bytes
    client_id: str
    number: int
    height: int
    heirs: bytes

    @property
    def digest(self) -> bytes:
        """The EIP-712 digest that the committee's members sign."""
        domain = encode(
            ("bytes32", "bytes32", "bytes32", "uint256", "address"),
            (_DOMAIN_TYPE, _NAME, _VERSION, self.chain, self.contract),
        )
        struct = encode(
            ("bytes32", "bytes32", "uint64", "uint64", "bytes32"),
            (
                _DEATH_TYPE,
                keccak256(self.client_id.encode()),
                self.number,
                self.height,
                self.heirs,
            ),
        )
        return keccak256(b"\x19\x01" + keccak256(domain) + keccak256(struct))

    def collect(self, committee: Committee, signatures: Mapping[bytes, bytes]) -> tuple[int, bytes]:
        """Check signatures by account; give the signers as a bitmap, and theirs in member order.

        Raises:
            ExitInvalid: a signature is malformed or somebody else's, or there are too few.
        """
        digest = self.digest
        for who, signature in signatures.items():
            try:
                signer = recover_account(digest, signature)
            except MalformedSignature as error:
                raise ExitInvalid(f"The signature of 0x{who.hex()}: {error}") from error
            if signer != who or who not in committee.members:
                raise ExitInvalid(
                    f"0x{who.hex()} did not sign this, or is no member of the committee."
                )
        enough = needed(len(committee.members), committee.threshold)
        if len(signatures) < enough:
            raise ExitInvalid(f"{len(signatures)} members signed; {enough} must.")
        present = [place for place, who in enumerate(committee.members) if who in signatures]
        joined = b"".join(signatures[committee.members[place]] for place in present)
        return sum(1 << place for place in present), joined


def needed(members: int, threshold: int) -> int:
    """Give how many of a committee must sign: two thirds and one more, at least the threshold."""
    return max(threshold, min(members, -(-2 * members // 3) + 1))


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit that is open. Times are seconds since the epoch.

    `heard_from` is when the committee may speak; `counts_from` is when its list counts, 0 until it
    spoke; until then `heirs` is empty.
    """

    client_id: str
    number: int
    opened_at: int
    heard_from: int
    counts_from: int
    heirs: bytes


class EmergencyExit:
    """The EmergencyExit contract of one ledger."""

    def __init__(self, ledger: EvmLedger) -> None:
        self._ledger = ledger
        self.address = ledger.deployment.contracts["exit"]
        self._contract = Contract(ledger.chain, self.address, artifact("EmergencyExit").interface)

    async def opened(self) -> list[Exit]:
        """List the exits that are open, the oldest first."""
        head = await self._ledger.chain.head_height()
        events = await seen(self._ledger, self._contract, "ExitOpened", head)
        routes = sorted({str(event["clientId"]) for event in events})
        reads = [self._contract.reading(method) for method in ("delay", "OBJECTION")] + [
            self._contract.reading("exitOf", route) for route in routes
        ]
        (delay,), (objection,), *states = await self._ledger.chain.reads(reads, Exactly(head))
        found = [
            Exit(
                route,
                number,
                opened_at,
                opened_at + delay,
                declared_at + objection if declared_at else 0,
                heirs if declared_at else b"",
            )
            for route, (number, opened_at, declared_at, heirs) in zip(routes, states, strict=True)
            if opened_at
        ]
        return sorted(found, key=lambda one: (one.opened_at, one.client_id))

    async def death(self, client_id: str, height: int, heirs: Beneficiaries) -> DeathStatement:
        """Give the statement that the committee must sign for the exit that is open.

        Raises:
            ExitInvalid: none is open for the route.
        """
        for one in await self.opened():
            if one.client_id == client_id:
                return DeathStatement(
                    self._ledger.chain.number,
                    self.address,
                    client_id,
                    one.number,
                    height,
                    heirs.root,
                )
        raise ExitInvalid(f"No exit is open for {client_id} on {self._ledger.id}.")

    def open(self, client_id: str) -> EvmCall[None]:
        """Open an exit for a paused route; governance only."""
        return self._contract.call(f"Opening an exit for {client_id}", "open", client_id)

    def stop(self, client_id: str) -> EvmCall[None]:
        """End an exit; guardians only."""
        return self._contract.call(f"Stopping the exit for {client_id}", "stop", client_id)

    def show_life(
        self, client_id: str, keys: Sequence[bytes], values: Sequence[bytes], proof: bytes
    ) -> EvmCall[None]:
        """End an exit by a proof of anything at a time after it was opened."""
        return self._contract.call(
            f"Showing that the ledger behind {client_id} lives",
            "showLife",
            client_id,
            [*keys],
            [*values],
            proof,
        )

    def declare(self, death: DeathStatement, signers: int, signatures: bytes) -> EvmCall[None]:
        """Hand in what the committee signed; see `DeathStatement.collect`."""
        return self._contract.call(
            f"Declaring the ledger behind {death.client_id} dead",
            "declare",
            death.client_id,
            death.height,
            death.heirs,
            signers,
            signatures,
        )

    def unlock(self, client_id: str, heirs: Beneficiaries, model_id: bytes) -> EvmCall[None]:
        """Give a model to whom the list names.

        Raises:
            ExitInvalid: the list does not name the model.
        """
        heir, proof = heirs.of(model_id)
        return self._contract.call(
            f"Giving model 0x{model_id.hex()} to 0x{heir.to.hex()}",
            "unlock",
            client_id,
            word(model_id),
            heir.sequence,
            heir.to,
            [*proof],
        )

    def refund_purchase(self, client_id: str, sequence: int) -> EvmCall[None]:
        """Give what was paid for a licence, and is not known to have ended, back to its buyer."""
        return self._contract.call(
            f"Giving what packet {sequence} of {client_id} pays back to its buyer",
            "refundPurchase",
            client_id,
            sequence,
        )

    def refund(self, client_id: str, model_id: bytes, sender: bytes) -> EvmCall[None]:
        """Give a model that is not known to have arrived back to who sent it."""
        return self._contract.call(
            f"Giving model 0x{model_id.hex()} back to 0x{sender.hex()}",
            "refund",
            client_id,
            word(model_id),
            account(sender),
        )
