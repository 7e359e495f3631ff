"""A chain on disk: a dump of its state, and the blocks without transactions that came after it.

Nothing is overwritten in place, and all of it has reached the disk when a function returns. A kill
at any instruction leaves the chain as it was before or as it is after.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from caimi.errors.base import CaimiError
from caimi.errors.ledgers import LedgerStateDamaged
from caimi.json_text import read_json
from caimi.ledgers.evm.abi.quantities import data, hexed, quantity
from caimi.places import write_result

STATE_BYTES: Final = 128 << 20
"""Of a dumped state, compressed: a larger one is not taken from an anvil."""
_MUCH: Final = STATE_BYTES // 8
"""From here on it takes seconds to write it down, with every transaction."""
_STATE: Final = "state.gz"
_BLOCKS: Final = "blocks.jsonl"
_UNREADABLE: Final = (
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    RecursionError,
    OSError,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class ChainHead:
    """A chain's newest block: `hash` and `state_root` in hex, `time` in seconds since 1970."""

    number: int
    hash: str
    state_root: str
    time: int

    @classmethod
    def of(cls, block: Mapping[str, Any]) -> ChainHead:
        """Give that of a block as a node tells it."""
        return cls(
            quantity(block["number"]),
            hexed(data(block["hash"], 32)),
            hexed(data(block["stateRoot"], 32)),
            quantity(block["timestamp"]),
        )


class KeptChain:
    """The chain whose files are in `folder`; one program at a time may keep it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._state = folder / _STATE
        self._blocks = folder / _BLOCKS

    def read(self) -> tuple[ChainHead, dict[str, Any]] | None:
        """Give the newest block that was kept and the state that anvil loads; None before any.

        Raises:
            LedgerStateDamaged: the files are not as this class writes them.
        """
        if not self._state.exists():
            return None
        try:
            told, _, dump = self._state.read_bytes().partition(b"\n")
            head = ChainHead(**read_json(told))
            state = without_traces(read_json(gzip.decompress(dump)))
            blocks = self._later_blocks(head)
            if blocks:
                return ChainHead.of(blocks[-1]), with_blocks(state, blocks)
        except (CaimiError, *_UNREADABLE) as error:
            raise LedgerStateDamaged(f"The chain in {self._folder} cannot be read: {error}.") from (
                error
            )
        return head, state

    def outgrown(self) -> str | None:
        """Say when the state has grown so that something is to be done about it, and what."""
        try:
            return outgrown(self._state.stat().st_size)
        except OSError:
            return None

    def keep_state(self, head: ChainHead, dump: bytes) -> None:
        """Keep a whole state (gzip of what anvil dumps) of which `head` is the newest block."""
        write_result(self._state, json.dumps(asdict(head)).encode() + b"\n" + dump)
        # Should this not be reached, what is left of the blocks follows another state.
        write_result(self._blocks, json.dumps({"after": head.hash}).encode() + b"\n")

    def keep_block(self, block: Mapping[str, Any]) -> None:
        """Keep one block more (as a node tells it), which changed nothing of the state."""
        with self._blocks.open("ab") as file:
            file.write(json.dumps(block).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _later_blocks(self, head: ChainHead) -> list[dict[str, Any]]:
        if not self._blocks.exists():
            return []
        first, *lines = self._blocks.read_bytes().split(b"\n")
        if read_json(first) != {"after": head.hash}:
            return []
        # What follows the last line's end was never whole, so nobody was told of that block.
        blocks: list[dict[str, Any]] = [read_json(line) for line in lines[:-1]]
        parents = [head.hash, *(block["hash"] for block in blocks)]
        if any(block["parentHash"] != at for block, at in zip(blocks, parents, strict=False)):
            raise ValueError("its blocks do not follow each other")
        return blocks


def with_blocks(state: dict[str, Any], blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give a dumped state as it is after more blocks, none of which changes an account."""
    last = blocks[-1]
    like = max(state["blocks"], key=lambda block: quantity(block["header"]["number"]))
    added = [
        {
            **like,
            "header": {name: block[name] for name in like["header"]},
            "transactions": [],
            "ommers": [],
        }
        for block in blocks
    ]
    return {
        **state,
        "best_block_number": quantity(last["number"]),
        "block": {
            **state["block"],
            "number": last["number"],
            "timestamp": last["timestamp"],
            "gas_limit": quantity(last["gasLimit"]),
            "basefee": quantity(last["baseFeePerGas"]),
            "prevrandao": last["mixHash"],
        },
        "blocks": [*state["blocks"], *added],
    }


def without_traces(state: dict[str, Any]) -> dict[str, Any]:
    """Give a dumped state without how its transactions went inside, which is most of it.

    What they came to, their receipts and logs, stays.
    """
    for each in state.get("transactions") or ():
        each["info"]["traces"] = []
    return state


def outgrown(size: int) -> str | None:
    """Say of a state of `size` bytes when something is to be done about it, and what."""
    if size < _MUCH:
        return None
    return (
        f"its history takes {size >> 20} of {STATE_BYTES >> 20} MiB, and makes it slow: "
        "`caimi devnet restart` shortens it, `caimi devnet up --fresh` starts anew"
    )
