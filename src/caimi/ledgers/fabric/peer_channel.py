"""A channel by way of one organisation's peer (port `Channel`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from caimi.errors.fabric import FabricAnswerInvalid, FabricEndorsersDisagree, FabricReadConflict
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
from caimi.ledgers.fabric.rpc.gateway import GatewayClient
from caimi.ledgers.fabric.telling import EVENT
from caimi.ledgers.fabric.verification.chain import (
    BlockEntry,
    ChannelChain,
    CheckedBlock,
)
from caimi.ledgers.fabric.verification.configuration import ENDORSEMENT, ChannelConfiguration
from caimi.ledgers.fabric.verification.envelopes import (
    EndorsedOutcome,
    read_outcome,
    unsigned_envelope,
)
from caimi.ledgers.fabric.wire import read_message
from caimi.ledgers.port import LedgerId

_TRIES: Final = 5
_PAUSE: Final = 0.1  # seconds
_DONE: Final = 200


class PeerChannel:
    """One connection. Whatever the peer says of blocks is checked, but for which of a block's
    transactions are valid: nobody signs that. Each meets the channel's `policy`.
    """

    def __init__(
        self,
        ledger: LedgerId,
        gateway: GatewayClient,
        chaincode: str,
        policy: str = ENDORSEMENT,
    ) -> None:
        self._ledger = ledger
        self._gateway = gateway
        self._chaincode = chaincode
        self._policy = policy
        self._reader = BlockReader(gateway.connection, gateway.signer, gateway.channel)
        self._chain: ChannelChain | None = None

    async def height(self) -> int:
        channel = self._gateway.channel.encode()
        found = await self._gateway.evaluate("qscc", b"GetChainInfo", channel)
        return int(read_message(BlockchainInfo, found, FabricAnswerInvalid).height)

    async def blocks(self, known: KnownChain | None, last: int) -> AsyncIterator[ChannelBlock]:
        chain = self._chain_of(known)
        async for encoded in self._reader.blocks(0 if known is None else known.number + 1, last):
            if chain is None:
                chain = ChannelChain.begin(self._ledger, encoded)
            else:
                chain = chain.accept(encoded)
            self._chain = chain
            head = chain.head
            configures = encoded if chain.configured_at == head.number else None
            told = tuple(self._told(chain.configuration, head.entries))
            yield ChannelBlock(head.number, head.hash, told, configures)

    async def ask(self, function: str, arguments: Sequence[bytes]) -> bytes:
        return await self._gateway.evaluate(self._chaincode, function.encode(), *arguments)

    async def submit(self, function: str, arguments: Sequence[bytes]) -> Committed:
        for turn in range(_TRIES):
            try:
                endorsed = await self._gateway.endorse(
                    self._chaincode, function.encode(), *arguments
                )
                break
            except FabricEndorsersDisagree:  # one of them may lag behind the others
                if turn == _TRIES - 1:
                    raise
                await asyncio.sleep(_PAUSE * 2**turn)
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

    def _told(
        self, configuration: ChannelConfiguration, entries: Sequence[BlockEntry]
    ) -> Iterator[ValidTransaction]:
        """Give the chaincode's valid transactions; raises where too few organisations endorsed."""
        for entry in entries:
            if not entry.valid or not entry.signed.is_endorsed:
                continue
            outcome = read_outcome(entry.signed)
            if outcome.chaincode != self._chaincode or outcome.status != _DONE:
                continue
            self._check_endorsed(configuration, outcome, entry.signed.transaction)
            own = [each for each in outcome.writes if each.namespace == self._chaincode]
            event = outcome.event
            yield ValidTransaction(
                entry.signed.transaction,
                tuple(Write(each.key, each.value) for each in own),
                event.payload if event is not None and event.name == EVENT else None,
            )

    def _check_endorsed(
        self, configuration: ChannelConfiguration, outcome: EndorsedOutcome, transaction: str
    ) -> None:
        endorsers = [configuration.member(each, None) for each in outcome.check_endorsements()]
        configuration.require(self._policy, endorsers, f"Transaction {transaction}")
