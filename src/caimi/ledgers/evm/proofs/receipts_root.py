"""What a block's header commits to of its receipts: their trie's root, and the bloom of their logs.

As in the yellow paper (4.3.1, appendix D) with EIP-658 and EIP-2718.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import rlp

from caimi.hashing import keccak256
from caimi.ledgers.evm.rpc.logs import RawLog

_STANDARD: Final = frozenset(range(5))
_DEPOSIT: Final = 0x7E  # the OP stack's, with members of its own
_BLOOM_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class TransactionReceipt:
    """A transaction's receipt, as far as its trie holds it.

    `appended` are members that its kind has besides; `plain` is whether its encoding is known.
    """

    kind: int
    status: int
    cumulative_gas: int
    logs: tuple[RawLog, ...]
    appended: tuple[int, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether the encoding is one that is known here."""
        return self.kind in _STANDARD or self.kind == _DEPOSIT

    def encode(self) -> bytes:
        """Give the receipt as the trie has it (EIP-2718)."""
        logs = [[log.address, list(log.topics), log.data] for log in self.logs]
        first, last = _integers(self.status, self.cumulative_gas), _integers(*self.appended)
        encoded = _encode([*first, bloom(self.logs), logs, *last])
        return encoded if self.kind == 0 else bytes([self.kind]) + encoded


def bloom(logs: Iterable[RawLog]) -> bytes:
    """Give the filter over logs' addresses and topics, 256 bytes."""
    bits = 0
    for log in logs:
        for item in (log.address, *log.topics):
            bits |= bloom_bits(item)
    return bits.to_bytes(_BLOOM_BYTES, "big")


def bloom_bits(item: bytes) -> int:
    """Give the three bits that an address or topic sets."""
    digest = keccak256(item)
    bits = 0
    for place in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[place : place + 2], "big") & 2047)
    return bits


def may_hold(filter_: bytes, items: Iterable[bytes]) -> bool:
    """Tell whether a filter has the bits of all `items`: if not, none of its logs has them."""
    bits = int.from_bytes(filter_, "big")
    return all(bits & bloom_bits(item) == bloom_bits(item) for item in items)


def receipts_root(receipts: Sequence[TransactionReceipt]) -> bytes:
    """Give the root of the trie of a block's receipts, by their places."""
    keys = (_encode(place) for place in _integers(*range(len(receipts))))
    return trie_root(dict(zip(keys, (each.encode() for each in receipts), strict=True)))


def trie_root(entries: dict[bytes, bytes]) -> bytes:
    """Give the root of a Merkle-Patricia trie of a few entries."""
    items = sorted((_nibbles(key), value) for key, value in entries.items())
    return keccak256(_encode(_node(items) if items else b""))


def _node(items: list[tuple[bytes, bytes]]) -> list[object]:
    first, last = items[0][0], items[-1][0]
    if len(items) == 1:
        return [_path(first, leaf=True), items[0][1]]
    shared = next(
        (at for at, (one, two) in enumerate(zip(first, last, strict=False)) if one != two),
        min(len(first), len(last)),
    )
    if shared:
        below = [(key[shared:], value) for key, value in items]
        return [_path(first[:shared], leaf=False), _reference(below)]
    branches: list[object] = [
        _reference([(key[1:], value) for key, value in items if key and key[0] == nibble])
        for nibble in range(16)
    ]
    return [*branches, items[0][1] if not first else b""]


def _reference(items: list[tuple[bytes, bytes]]) -> object:
    if not items:
        return b""
    node = _node(items)
    encoded = _encode(node)
    return node if len(encoded) < 32 else keccak256(encoded)


def _encode(item: object) -> bytes:
    """Encode bytes and lists of them; no types are looked for, which takes most of the time."""
    encoded: bytes = rlp.encode(item, infer_serializer=False)
    return encoded


def _integers(*values: int) -> list[bytes]:
    return [value.to_bytes((value.bit_length() + 7) // 8, "big") for value in values]


def _nibbles(key: bytes) -> bytes:
    return bytes(nibble for byte in key for nibble in (byte >> 4, byte & 15))


def _path(nibbles: bytes, *, leaf: bool) -> bytes:
    """Pack a path (hex-prefix encoding)."""
    odd = len(nibbles) % 2
    flag = 2 * leaf + odd
    full = bytes([flag]) + nibbles if odd else bytes([flag, 0]) + nibbles
    return bytes(one << 4 | two for one, two in zip(full[::2], full[1::2], strict=True))
