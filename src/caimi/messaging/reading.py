"""Reading a range of a ledger's blocks: the tree that validators sign and relayers prove from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from caimi.errors.messaging import EventsMissing, RangeTooLarge
from caimi.hashing import keccak256
from caimi.ledgers.port import Block, Gateway, SentPacket, WrittenAcknowledgement
from caimi.messaging.proof import Tree, block_fact, range_facts

MAX_FACTS: Final = 65_536
_READ_BLOCKS: Final = 500
_Traffic: TypeAlias = tuple[list[SentPacket], list[WrittenAcknowledgement]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one node shows of a range that ends with `block`.

    `contents` gives, for each block in which anything happened, a digest of what did.
    """

    block: Block
    tree: Tree
    contents: Mapping[int, bytes]


async def read_tree(gateway: Gateway, from_height: int, block: Block) -> Tree:
    """Read the tree of the blocks after `from_height` up to `block`; raises as `read_range`."""
    return (await read_range(gateway, from_height, block)).tree


async def read_range(gateway: Gateway, from_height: int, block: Block) -> Reading:
    """Read the blocks after `from_height` up to `block` off a ledger, as one node shows them.

    A pure function of the ledger: what was sent and written in these blocks, and `block`'s hash.

    Raises:
        RangeTooLarge: the range holds more than `MAX_FACTS` packets and acknowledgements.
        EventsMissing: the node leaves out a packet between two others.
    """
    return await _read(gateway.traffic, from_height, block)


async def read_whole_range(gateway: Gateway, from_height: int, block: Block) -> Reading:
    """Read as `read_range` does, for who signs it: that nothing was left out is checked.

    Raises:
        EventsMissing: the node leaves out a packet or an acknowledgement.
        RangeTooLarge: as above.
    """
    return await _read(gateway.whole_traffic, from_height, block)


async def _read(
    traffic: Callable[[int, int], Awaitable[_Traffic]], from_height: int, block: Block
) -> Reading:
    height = block.height
    facts = [block_fact(block)]
    happened: dict[int, list[bytes]] = {}
    newest: dict[str, int] = {}
    # Of one piece after another only the hashes are kept: packets may be large.
    for start in range(from_height, height, _READ_BLOCKS):
        end = min(start + _READ_BLOCKS, height)
        sent, written = await traffic(start, end)
        _check_gapless(sent, newest)
        piece = await asyncio.to_thread(range_facts, sent, written)
        heights = [entry.height for entry in sent] + [entry.height for entry in written]
        for at, (key, value) in zip(heights, piece, strict=True):
            happened.setdefault(at, []).append(key + value)
        facts += piece
        if len(facts) > MAX_FACTS + 1:
            raise RangeTooLarge(
                f"Blocks ({from_height}, {height}] hold more than {MAX_FACTS} packets and "
                "acknowledgements."
            )
    contents = {at: keccak256(b"".join(sorted(each))) for at, each in happened.items()}
    return Reading(block, await asyncio.to_thread(Tree.of, facts), contents)


def _check_gapless(sent: Sequence[SentPacket], newest: dict[str, int]) -> None:
    """Check that each client's packets count up by one (ICS-04 v2), from `newest` on."""
    for entry in sent:
        client, sequence = entry.packet.source_client, entry.packet.sequence
        expected = newest.get(client, sequence - 1) + 1
        if sequence != expected:
            raise EventsMissing(f"Packet {sequence} of {client} came instead of {expected}.")
        newest[client] = sequence
