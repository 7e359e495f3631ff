"""What attestors of ibc-go's `attestations` light client sign, and the proofs made of it.

A state attestation says when a height was, a packet attestation what lay at some paths then; a
zero commitment says that nothing did (ibc-go, modules/light-clients/attestations). The signed bytes
name neither ledger nor client nor attestors: a key that signs them must sign for one ledger only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Final, Protocol, TypeGuard

from eth_abi.abi import encode

from caimi.errors.messaging import InvalidProof
from caimi.hashing import keccak256
from caimi.ibc.path import Path, PathKind
from caimi.messaging.hex_field import hex_field
from caimi.signatures import SIGNATURE_BYTES, MalformedSignature, recover_account

MAX_PATHS: Final = 1_000
_MAX_CLIENT: Final = 128
_hex: Final = partial(hex_field, InvalidProof)
_STATE_TAG: Final = b"\x01"
_PACKET_TAG: Final = b"\x02"
_DOMAIN_SEPARATOR: Final = keccak256(
    keccak256(b"EIP712Domain(string name,string version)") + keccak256(b"CAIMI") + keccak256(b"1")
)
_ENROLMENT_TYPE_HASH: Final = keccak256(b"AttestorEnrolment(bytes32 origin)")


def path_document(path: Path) -> list[object]:
    """Give the JSON form of a path: the kind's byte, the client, the sequence."""
    return [int(path.kind), path.client, path.sequence]


def read_path(document: object) -> Path:
    """Take the JSON form of a path, strictly.

    Raises:
        InvalidProof: it is something else, or no packet can have such a path.
    """
    match document:
        # Identifiers are ASCII (ICS-24); JSON can also say what UTF-8 cannot hold.
        case [kind, str(client), sequence] if (
            _is_number(kind)
            and _is_number(sequence)
            and kind in tuple(PathKind)
            and client.isascii()
            and 0 < len(client) <= _MAX_CLIENT
            and sequence > 0
        ):
            return Path(client, PathKind(kind), sequence)
    raise InvalidProof(
        f"A path is its kind, 1 to 3, a client of at most {_MAX_CLIENT} characters and a sequence."
    )


@dataclass(frozen=True, slots=True)
class StateAttestation:
    """That block `height` has `time`, in seconds."""

    height: int
    time: int

    @property
    def data(self) -> bytes:
        """abi.encode(uint64 height, uint64 timestamp)."""
        return encode(("uint64", "uint64"), (self.height, self.time))

    @property
    def digest(self) -> bytes:
        """What is signed."""
        return _digest(_STATE_TAG, self.data)


@dataclass(frozen=True, slots=True)
class PacketAttestation:
    """What lies at some paths at block `height`, as (key of the path, 32 bytes)."""

    height: int
    packets: tuple[tuple[bytes, bytes], ...]

    @property
    def data(self) -> bytes:
        """abi.encode((uint64 height, (bytes32 path, bytes32 commitment)[] packets))."""
        return encode(("(uint64,(bytes32,bytes32)[])",), ((self.height, self.packets),))

    @property
    def digest(self) -> bytes:
        """What is signed."""
        return _digest(_PACKET_TAG, self.data)


IbcStatement = StateAttestation | PacketAttestation


@dataclass(frozen=True, slots=True)
class IbcAttestation:
    """A statement with one attestor's signature (r, s, v: 65 bytes)."""

    statement: IbcStatement
    signature: bytes

    def to_json(self) -> str:
        """Write the JSON form."""
        said = self.statement
        document: dict[str, object] = {"height": said.height}
        if isinstance(said, StateAttestation):
            document["time"] = said.time
        else:
            document["packets"] = [[f"0x{k.hex()}", f"0x{v.hex()}"] for k, v in said.packets]
        return json.dumps({**document, "signature": f"0x{self.signature.hex()}"})

    @classmethod
    def from_document(cls, document: object) -> IbcAttestation:
        """Take a parsed JSON form, strictly.

        Raises:
            InvalidProof: it is something else.
        """
        if not isinstance(document, dict) or len(document) != 3:
            raise InvalidProof("This is no attestation in ibc-go's format.")
        match document:
            case {"height": int(height), "time": int(time), "signature": str(signature)} if (
                _is_number(height) and _is_number(time)
            ):
                return cls(StateAttestation(height, time), _hex(signature, SIGNATURE_BYTES))
            case {"height": int(height), "packets": list(packets), "signature": str(signature)} if (
                _is_number(height) and len(packets) <= MAX_PATHS
            ):
                facts = tuple(_fact(each) for each in packets)
                return cls(PacketAttestation(height, facts), _hex(signature, SIGNATURE_BYTES))
        raise InvalidProof("This is no attestation in ibc-go's format.")

    def signer(self) -> bytes:
        """Recover the signing account, 20 bytes.

        Raises:
            InvalidProof: the signature is malformed.
        """
        try:
            return recover_account(self.statement.digest, self.signature)
        except MalformedSignature as error:
            raise InvalidProof(str(error)) from error


class IbcAttestorClient(Protocol):
    """A way to one attestor of one ledger; raises `CaimiError` when it attests nothing."""

    @property
    def name(self) -> str:
        """What errors call it."""

    async def attest_state(self, height: int) -> IbcAttestation:
        """Ask for a block's time."""
        ...

    async def attest_packets(self, height: int, paths: Sequence[Path]) -> IbcAttestation:
        """Ask for what lies at some paths."""
        ...


def attestation_proof(attestations: Sequence[IbcAttestation]) -> bytes:
    """Join signatures of one statement: abi.encode((bytes attestationData, bytes[] signatures)).

    Raises:
        InvalidProof: there is none, they are of different statements, or two are of one signer.
    """
    if not attestations or any(
        each.statement != attestations[0].statement for each in attestations
    ):
        raise InvalidProof("A proof is made of signatures of one statement.")
    signers = {each.signer() for each in attestations}
    if len(signers) < len(attestations):
        raise InvalidProof("One attestor's signature counts once.")
    data = attestations[0].statement.data
    return encode(("(bytes,bytes[])",), ((data, [each.signature for each in attestations]),))


def enrolment_digest(origin: bytes) -> bytes:
    """Give what an attestor signs to say that its key attests to the ledger `origin` and no other.

    `origin` is the ledger's name, its CAIP-2 id. `AttestationsClient.sol` takes no other keys.
    """
    struct = keccak256(_ENROLMENT_TYPE_HASH + keccak256(origin))
    return keccak256(b"\x19\x01" + _DOMAIN_SEPARATOR + struct)


def _is_number(value: object) -> TypeGuard[int]:
    """Whether it is an unsigned 64-bit number, and no truth value, which Python calls one too."""
    return type(value) is int and 0 <= value < 1 << 64


def _fact(entry: object) -> tuple[bytes, bytes]:
    match entry:
        case [str(key), str(value)]:
            return _hex(key, 32), _hex(value, 32)
    raise InvalidProof("A packet is attested as a path's key and what lies there.")


def _digest(tag: bytes, data: bytes) -> bytes:
    return sha256(tag + sha256(data).digest()).digest()
