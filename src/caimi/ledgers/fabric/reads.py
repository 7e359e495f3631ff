"""What the chaincode says of commitments when it is asked: each one's value or absence, and when.

Peers sign it, so that others believe it without a block (`EndorsedReadsClient.sol`). It is, numbers
big-endian and each text behind its length:

    tag | 1: ledger | 1: channel | clock in 8 | how many in 2 | each, 2: path | 0, or 1 and value

The clock was read before the rest: what is absent in it is absent at the clock's time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from caimi.ibc.path import Path, PathKind
from caimi.ledgers.client_proofs import reads_head

MAX_PATHS: Final = 100
MAX_PATH_BYTES: Final = 128
RECEIVED: Final = (1).to_bytes(32)
"""What is said to be where a receipt is: none is kept apart from its acknowledgement."""
_BEHIND_CLIENT: Final = 9
_VALUE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class StateReads:
    """What one chaincode on one channel said; `values` are of 32 bytes, None where nothing is.

    `ledger` is the one that it was founded as (CAIP-2), `clock` that ledger's time in seconds.
    Construction raises `ValueError` where that cannot be said.
    """

    ledger: str
    channel: str
    clock: int
    paths: tuple[Path, ...]
    values: tuple[bytes | None, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.paths) == len(self.values) <= MAX_PATHS:
            raise ValueError(f"{len(self.paths)} paths cannot be read at once")
        if len(set(self.paths)) != len(self.paths):
            raise ValueError("a path is read twice")
        if any(len(path.raw) > MAX_PATH_BYTES for path in self.paths):
            raise ValueError("a path is too long")
        if any(value is not None and len(value) != _VALUE_BYTES for value in self.values):
            raise ValueError("a commitment has 32 bytes")
        if not 0 <= self.clock < 1 << 64:
            raise ValueError(f"{self.clock} is no time")

    def encode(self) -> bytes:
        """Write it down; raises `ValueError` where a name is too long."""
        head = reads_head(self.ledger, self.channel) + self.clock.to_bytes(8)
        body = [head, len(self.paths).to_bytes(2)]
        for path, value in zip(self.paths, self.values, strict=True):
            body += [len(path.raw).to_bytes(2), path.raw]
            body += [b"\0"] if value is None else [b"\1", value]
        return b"".join(body)


def read_path(raw: bytes) -> Path:
    """Read a path from its raw form; raises `ValueError` where it is none."""
    if not _BEHIND_CLIENT < len(raw) <= MAX_PATH_BYTES:
        raise ValueError(f"{len(raw)} bytes are no path")
    client = raw[:-_BEHIND_CLIENT].decode()  # its error is a ValueError
    return Path(client, PathKind(raw[-_BEHIND_CLIENT]), int.from_bytes(raw[1 - _BEHIND_CLIENT :]))


def check_reads(answer: bytes, ledger: str, channel: str, paths: Sequence[Path]) -> StateReads:
    """Read what was said of just these paths, in their order, in its one form.

    Raises:
        ValueError: it is something else.
    """
    head = reads_head(ledger, channel)
    if not answer.startswith(head):
        raise ValueError("it is of another ledger or channel, or no such answer")
    at = len(head) + 10
    values: list[bytes | None] = []
    for path in paths:
        at += 2 + len(path.raw)
        there = answer[at : at + 1] == b"\1"
        values.append(answer[at + 1 : at + 1 + _VALUE_BYTES] if there else None)
        at += 1 + _VALUE_BYTES * there
    clock = int.from_bytes(answer[len(head) : len(head) + 8])
    said = StateReads(ledger, channel, clock, tuple(paths), tuple(values))
    if said.encode() != answer:
        raise ValueError("it is not of what was asked")
    return said
