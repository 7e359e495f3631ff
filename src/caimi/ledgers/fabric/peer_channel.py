"""A channel by way of one organisation's peer, or of several who must show it alike (`Channel`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from caimi.errors.fabric import FabricAnswerInvalid, FabricReadConflict
from caimi.ledgers.fabric.channel import (
    ChannelBlock,
    Committed,
    KnownChain,
    TransactionConflict,
    ValidTransaction,
    Write,
)
from caimi.ledgers.fabric.protos.common.common_pb2 import Block
from caimi.ledgers.fabric.protos.common.ledger_pb2 import BlockchainInfo
from caimi.ledgers.fabric.rpc.deliver import BlockReader
from caimi.ledgers.fabric.rpc.following import BlockSource, agreed_blocks
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.verification.chain import (
    BlockEntry,
    ChannelChain,
    CheckedBlock,
)
from caimi.ledgers.fabric.verification.configuration import ENDORSEMENT, ChannelConfiguration
from caimi.ledgers.fabric.verification.envelopes import unsigned_envelope, writes_to
from caimi.ledgers.fabric.verification.transactions import check_transaction
from caimi.ledgers.fabric.wire import read_message
from caimi.ledgers.port import LedgerId


class PeerChannel:
    """One connection. Whatever the peer says of blocks is checked, but for which of a block's
    transactions are valid: nobody signs that. Each meets the channel's `policy`.

    With `others`, the blocks of other organisations' peers, a block counts once all have shown it,
    and judge what is in it alike.
    """

    def __init__(
        self,
        ledger: LedgerId,
        gateway: GatewayClient,
        chaincode: str,
        policy: str = ENDORSEMENT,
        others: Sequence[BlockSource] = (),
    ) -> None:
        self._ledger = ledger
        self._gateway = gateway
        self._chaincode = chaincode
        self._policy = policy
        own = BlockReader(gateway.connection, gateway.signer, gateway.channel)
        self._sources: tuple[BlockSource, ...] = (own, *others)
        self._chain: ChannelChain | None = None

    async def height(self) -> int:
        channel = self._gateway.channel.encode()
        found = await self._gateway.evaluate("qscc", b"GetChainInfo", channel)
        return int(read_message(BlockchainInfo, found, FabricAnswerInvalid).height)

    async def blocks(self, known: KnownChain | None, last: int) -> AsyncIterator[ChannelBlock]:
        chain = self._chain_of(known)
        if chain is None:
            async for first in self._sources[0].blocks(0, 0):
                chain = ChannelChain.begin(self._ledger, first)
                yield self._read(chain, first)
        if chain is not None:
            async for following, encoded in agreed_blocks(self._sources, chain, last):
                yield self._read(following, encoded)

    async def ask(self, function: str, arguments: Sequence[bytes]) -> bytes:
        return await self._gateway.evaluate(self._chaincode, function.encode(), *arguments)

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        endorsed = await self._gateway.endorse(self._chaincode, function.encode(), *arguments)
        await self._gateway.submit(endorsed)
        try:
            done = await self._gateway.committed(endorsed)
        except FabricReadConflict as conflict:
            raise TransactionConflict from conflict
        return Committed(done.block, done.result)

    async def aclose(self) -> None:
        await self._gateway.connection.aclose()

    def _chain_of(self, known: KnownChain | None) -> ChannelChain | None:
        """Go on from what was checked, by this connection or before it."""
        if known is None or (self._chain is not None and self._chain.head.hash == known.hash):
            return None if known is None else self._chain
        block = read_message(Block, known.configuration, FabricAnswerInvalid)
        configuration = ChannelConfiguration.read(unsigned_envelope(block.data.data[0]))
        head = CheckedBlock(known.number, known.hash, b"", ())
        return ChannelChain(head, configuration, known.configured_at)

    def _read(self, chain: ChannelChain, encoded: bytes) -> ChannelBlock:
        head = chain.head
        configures = encoded if chain.configured_at == head.number else None
        told = tuple(self._told(chain.configuration, head.entries))
        self._chain = chain
        return ChannelBlock(head.number, head.hash, told, configures)

    def _told(
        self, configuration: ChannelConfiguration, entries: Sequence[BlockEntry]
    ) -> Iterator[ValidTransaction]:
        """Give the valid transactions that wrote of the chaincode's, whichever was called.

        Raises where too few organisations endorsed one.
        """
        for entry in entries:
            if not entry.valid or not entry.signed.is_endorsed:
                continue
            if writes_to(entry.signed, self._chaincode):
                checked = check_transaction(entry.signed, configuration, self._policy)
                written = checked.outcome.writes
                own = (each for each in written if each.namespace == self._chaincode)
                yield ValidTransaction(checked.id, tuple(Write(e.key, e.value) for e in own))
