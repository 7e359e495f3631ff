"""A channel's blocks, one after another, each checked against what came before.

It begins with the first block, which the channel's name vouches for. A block counts if it follows
the one before by its hash, holds what its header says, and is signed by orderers as the
configuration before it asks. A configuration block changes what the next ones are held against.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Self

from caimi.errors.fabric import FabricAnswerInvalid, FabricForked, FabricPeersDisagree
from caimi.ledgers.fabric.msp.identity import MspIdentity
from caimi.ledgers.fabric.protos.common.common_pb2 import (
    CONFIG,
    SIGNATURES,
    TRANSACTIONS_FILTER,
    Block,
    Metadata,
    OrdererBlockMetadata,
    SignatureHeader,
)
from caimi.ledgers.fabric.protos.peer.transaction_pb2 import TxValidationCode
from caimi.ledgers.fabric.verification.configuration import (
    BLOCK_VALIDATION,
    ChannelConfiguration,
)
from caimi.ledgers.fabric.verification.envelopes import (
    SignedPayload,
    read_envelope,
    unsigned_envelope,
)
from caimi.ledgers.fabric.verification.headers import (
    HASH_BYTES,
    data_hash,
    header_hash,
    ledger_name,
    signed_header,
)
from caimi.ledgers.fabric.verification.policies import CheckedSigner
from caimi.ledgers.fabric.wire import read_message

_MAX_SIGNATURES: Final = 256
_VALID: Final = TxValidationCode.Value("VALID")


@dataclass(frozen=True, slots=True)
class BlockEntry:
    """One envelope of a block; `code` is what the peer that was asked says of it."""

    index: int
    signed: SignedPayload
    code: int

    @property
    def valid(self) -> bool:
        """Whether the peer says that it took effect."""
        return bool(self.code == _VALID)

    @property
    def verdict(self) -> str:
        """Name the code as Fabric does."""
        known = self.code in TxValidationCode.values()
        return str(TxValidationCode.Name(self.code)) if known else str(self.code)


@dataclass(frozen=True, slots=True)
class CheckedBlock:
    """A block that orderers signed."""

    number: int
    hash: bytes
    previous_hash: bytes
    entries: tuple[BlockEntry, ...]

    @property
    def codes(self) -> bytes:
        """What the peer says of each entry."""
        return bytes(entry.code for entry in self.entries)


@dataclass(frozen=True, slots=True)
class ChannelChain:
    """How far a channel has been checked; `accept` gives the next one."""

    head: CheckedBlock
    configuration: ChannelConfiguration
    configured_at: int
    """The number of the last configuration block."""

    @classmethod
    def begin(cls, ledger: str, encoded: bytes) -> Self:
        """Begin with a channel's first block, whose hash its name vouches for.

        Raises:
            FabricForked: it is another channel's.
            FabricAnswerInvalid: it is no first block.
            FabricConfigurationInvalid: its configuration cannot be used.
        """
        chain = cls.of_first_block(encoded)
        if chain.ledger != ledger:
            raise FabricForked(f"The first block is that of {chain.ledger}, not {ledger}.")
        return chain

    @classmethod
    def of_first_block(cls, encoded: bytes) -> Self:
        """Begin with a channel's first block, whatever channel it is: see `ledger`.

        Raises:
            FabricAnswerInvalid: it is no first block.
            FabricConfigurationInvalid: its configuration cannot be used.
        """
        block = read_message(Block, encoded, FabricAnswerInvalid)
        entries = list(block.data.data)
        number, _, of_data = _header(block)
        if number or block.header.previous_hash or len(entries) != 1:
            raise FabricAnswerInvalid("What should be a channel's first block is none.")
        if data_hash(entries) != of_data:
            raise FabricAnswerInvalid("A channel's first block holds other data than it says.")
        signed = unsigned_envelope(entries[0])
        head = CheckedBlock(0, header_hash(0, b"", of_data), b"", (BlockEntry(0, signed, _VALID),))
        return cls(head, ChannelConfiguration.read(signed), 0)

    @property
    def ledger(self) -> str:
        """Name the channel, where nothing but its first block was accepted yet."""
        return ledger_name(self.head.hash)

    def accept(self, encoded: bytes, at: datetime | None = None) -> Self:
        """Check the next block; `at` is when its signers' certificates must be valid, if known.

        Raises:
            FabricForked: it does not follow the last one.
            FabricAnswerInvalid: it is not what its header says.
            FabricSignatureInvalid, FabricPolicyNotMet: orderers did not sign it.
            FabricIdentityUnknown, FabricIdentityExpired, FabricIdentityRevoked: or others did.
            FabricConfigurationInvalid: it brings a configuration that cannot be used.
        """
        block = read_message(Block, encoded, FabricAnswerInvalid)
        number, previous, of_data = _header(block)
        if number != self.head.number + 1 or previous != self.head.hash:
            raise FabricForked(
                f"Block {number} after {previous.hex()} does not follow block {self.head.number} "
                f"({self.head.hash.hex()})."
            )
        entries = list(block.data.data)
        if not entries or data_hash(entries) != of_data:
            raise FabricAnswerInvalid(f"Block {number} holds other data than its header says.")
        signed = tuple(map(read_envelope, entries))
        configures = any(each.kind == CONFIG for each in signed)
        if configures and len(signed) != 1:
            raise FabricAnswerInvalid(f"Block {number} has a configuration beside transactions.")
        configured_at = number if configures else self.configured_at
        self._check_orderers(block, configured_at, at)
        checked = CheckedBlock(
            number, header_hash(number, previous, of_data), previous, _entries(block, signed)
        )
        after = replace(self, head=checked, configured_at=configured_at)
        if not configures:
            return after
        if not checked.entries[0].valid:
            raise FabricAnswerInvalid(f"A peer calls the configuration in block {number} invalid.")
        return replace(after, configuration=self._next_configuration(signed[0]))

    def _check_orderers(self, block: Any, configured_at: int, at: datetime | None) -> None:  # noqa: ANN401 - a message
        number, previous, of_data = _header(block)
        metadata = read_message(
            Metadata, _metadata(block, SIGNATURES), FabricAnswerInvalid, "block signature"
        )
        said = read_message(OrdererBlockMetadata, metadata.value, FabricAnswerInvalid)
        if said.last_config.index != configured_at:
            raise FabricAnswerInvalid(
                f"Block {number} names {said.last_config.index} as its last configuration, and "
                f"that is {configured_at}."
            )
        if len(metadata.signatures) > _MAX_SIGNATURES:
            raise FabricAnswerInvalid(f"Block {number} has too many signatures.")
        signers: list[CheckedSigner] = []
        for each in metadata.signatures:
            header = read_message(SignatureHeader, each.signature_header, FabricAnswerInvalid)
            orderer = MspIdentity.read(header.creator)
            signers.append(self.configuration.member(orderer, at))
            over = metadata.value + each.signature_header
            orderer.check(each.signature, over + signed_header(number, previous, of_data))
        self.configuration.require(BLOCK_VALIDATION, signers, f"Block {number}")

    def _next_configuration(self, signed: SignedPayload) -> ChannelConfiguration:
        configuration = ChannelConfiguration.read(signed)
        known = self.configuration
        if configuration.channel != known.channel or configuration.sequence <= known.sequence:
            raise FabricAnswerInvalid(
                f"Configuration {configuration.sequence} of {configuration.channel} does not "
                f"follow {known.sequence} of {known.channel}."
            )
        return configuration


def check_agreement(first: CheckedBlock, second: CheckedBlock) -> None:
    """See that peers of two organisations show one block, and judge what is in it alike.

    Raises:
        FabricForked: orderers signed two blocks of one number.
        FabricPeersDisagree: one peer calls valid what another does not.
    """
    if first.hash != second.hash:  # it is over the number, too
        raise FabricForked(
            f"Two peers show different blocks {first.number}: {first.hash.hex()} and "
            f"{second.hash.hex()}."
        )
    for one, other in zip(first.entries, second.entries, strict=True):
        if one.code != other.code:
            raise FabricPeersDisagree(
                f"Of transaction {one.signed.transaction} in block {first.number} one peer says "
                f"{one.verdict}, another {other.verdict}."
            )


def _header(block: Any) -> tuple[int, bytes, bytes]:  # noqa: ANN401 - a message
    header = block.header
    if len(header.previous_hash) not in (0, HASH_BYTES) or len(header.data_hash) != HASH_BYTES:
        raise FabricAnswerInvalid(f"Block {header.number} has hashes of another length.")
    return header.number, header.previous_hash, header.data_hash


def _metadata(block: Any, index: int) -> bytes:  # noqa: ANN401 - a message
    parts = block.metadata.metadata
    if index >= len(parts):
        raise FabricAnswerInvalid(f"Block {block.header.number} lacks metadata {index}.")
    return bytes(parts[index])


def _entries(block: Any, signed: tuple[SignedPayload, ...]) -> tuple[BlockEntry, ...]:  # noqa: ANN401 - a message
    codes = _metadata(block, TRANSACTIONS_FILTER)
    if len(codes) != len(signed):
        raise FabricAnswerInvalid(
            f"A peer judges {len(codes)} of {len(signed)} entries of block {block.header.number}."
        )
    pairs = zip(signed, codes, strict=True)
    return tuple(BlockEntry(at, each, code) for at, (each, code) in enumerate(pairs))
