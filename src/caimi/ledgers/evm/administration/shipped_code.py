"""The code that a contract of ours leaves on a ledger, and whether it is what is there.

Creation code ends with the code that stays. It copies that to memory, puts its immutables where
words of zeros stand after PUSH32, and returns it; solc writes the copying in one way only, with no
metadata after it (`bytecode_hash` and `cbor_metadata` are off in foundry.toml).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from caimi.errors.ledgers import ArtifactMissing
from caimi.ledgers.evm.artifacts import artifact

_COPIED: Final = re.compile(
    rb"\x61(?P<size>..)\x90\x81(\x61(?P<far>..)|\x60(?P<near>.))\x82\x39", re.DOTALL
)
"""PUSH2 size, SWAP1, DUP2, PUSH1 or PUSH2 start, DUP3, CODECOPY."""
_PUSH1: Final = 0x60
_PUSH32: Final = 0x7F
_WORD: Final = 32


@dataclass(frozen=True, slots=True)
class ShippedCode:
    """What stays of a contract, with zeros for its immutables, and where each of those begins."""

    code: bytes
    places: tuple[int, ...]

    def immutables(self, code: bytes) -> frozenset[bytes] | None:
        """Give the words that are in the immutables' places of what is on a ledger.

        None where it is other code.
        """
        if len(code) != len(self.code):
            return None
        bare = bytearray(code)
        for place in self.places:
            bare[place : place + _WORD] = bytes(_WORD)
        if bytes(bare) != self.code:
            return None
        return frozenset(code[place : place + _WORD] for place in self.places)


@cache
def shipped_code(name: str) -> ShippedCode:
    """Give the code of a contract that is shipped.

    Raises:
        ArtifactMissing: it is not in the installation, or damaged.
    """
    creation = artifact(name).bytecode
    found = {_span(match) for match in _COPIED.finditer(creation)}
    inside = [(start, size) for start, size in found if start + size <= len(creation)]
    if len(inside) != 1:
        raise ArtifactMissing(f"The contract {name} leaves no code behind.")
    ((start, size),) = inside
    code = creation[start : start + size]
    return ShippedCode(code, _immutable_places(code))


def _span(match: re.Match[bytes]) -> tuple[int, int]:
    start = match["far"] or match["near"]
    return int.from_bytes(start, "big"), int.from_bytes(match["size"], "big")


def _immutable_places(code: bytes) -> tuple[int, ...]:
    """Find each PUSH32 of zero: the compiler writes any other zero as PUSH0."""
    places, at = [], 0
    while at < len(code):
        operation = code[at]
        if operation == _PUSH32 and code[at + 1 : at + 1 + _WORD] == bytes(_WORD):
            places.append(at + 1)
        at += 1 + (operation - _PUSH1 + 1 if _PUSH1 <= operation <= _PUSH32 else 0)
    return tuple(places)
