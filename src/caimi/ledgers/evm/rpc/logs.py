"""Event logs: fetched in pages that fit the node, decoded strictly into the port's events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from caimi.errors.ledgers import EventInvalid, LedgerAnswerInvalid, LedgerError
from caimi.ledgers.evm.abi.calls import Event
from caimi.ledgers.evm.abi.codec import Value
from caimi.ledgers.evm.abi.interface import EventType, Interface
from caimi.ledgers.evm.abi.quantities import data, fields, hexed, quantity
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.client import RpcRefusal

Topics = Sequence[bytes | Sequence[bytes] | None]
"""What each topic must be: one value, one of several, or anything."""

_FIRST_PAGE = 2_000
_LARGEST_PAGE = 100_000
_FEW = 1_000
_MANY = 10_000
_MODEL_IDS = frozenset({"modelId", "tokenId"})


@dataclass(frozen=True, slots=True)
class RawLog:
    """A log as the node sent it, parsed; `time` is its block's, where the node says it."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    tx: str
    height: int
    index: int
    time: int | None = field(default=None, compare=False)


class EventReader:
    """Decodes the events of known contracts (`sources`: what each address is)."""

    def __init__(self, chain: Chain, sources: Mapping[bytes, Interface]) -> None:
        self._chain = chain
        self._sources = sources

    def decode(self, logs: Sequence[RawLog]) -> tuple[Event, ...]:
        """Decode logs of our contracts and leave others' out.

        Raises:
            EventInvalid: a log of ours cannot be decoded.
        """
        return tuple(self._decode(log) for log in logs if log.address in self._sources)

    def _decode(self, log: RawLog) -> Event:
        event = self._sources[log.address].by_topic.get(log.topics[0]) if log.topics else None
        if event is None:
            raise EventInvalid(f"0x{log.address.hex()} logged an unknown event in {log.tx}.")
        return Event(event.name, event_values(event, log), log.tx, log.height, log.index)

    async def events(
        self, addresses: Sequence[bytes], topics: Topics, first: int, last: int
    ) -> list[Event]:
        """Give the events of blocks first to last, both included, in order.

        Raises:
            LedgerAnswerInvalid: the node sent logs that were not asked for.
            EventInvalid: a log cannot be decoded.
        """
        return [self._decode(log) for log in await self.raw(addresses, topics, first, last)]

    async def raw(
        self, addresses: Sequence[bytes], topics: Topics, first: int, last: int
    ) -> list[RawLog]:
        """Give the logs of blocks first to last, in order."""
        return [log async for _, part in self.pages(addresses, topics, first, last) for log in part]

    async def pages(
        self, addresses: Sequence[bytes], topics: Topics, first: int, last: int
    ) -> AsyncIterator[tuple[int, list[RawLog]]]:
        """Give the logs of blocks first to last in pages, each with the last of its blocks.

        A page that the node refuses is halved; one with few logs, or many, makes the next larger,
        or smaller.
        """
        page = _FIRST_PAGE
        while first <= last:
            end = min(first + page - 1, last)
            try:
                part = await self._page(addresses, topics, first, end)
            except (RpcRefusal, LedgerAnswerInvalid) as error:
                if end == first:
                    raise self._hopeless(error) from error
                page = max((end - first + 1) // 2, 1)
                continue
            yield end, part
            first = end + 1
            if len(part) < _FEW:
                page = min(page * 2, _LARGEST_PAGE)
            elif len(part) > _MANY:
                page = max(page // 2, 1)

    def _hopeless(self, error: RpcRefusal | LedgerAnswerInvalid) -> Exception:
        if isinstance(error, LedgerError):
            return error
        return self._chain.refused("eth_getLogs", error)

    async def _page(
        self, addresses: Sequence[bytes], topics: Topics, first: int, last: int
    ) -> list[RawLog]:
        query = {
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "address": [hexed(address) for address in addresses],
            "topics": [
                None
                if topic is None
                else hexed(topic)
                if isinstance(topic, bytes)
                else [hexed(one) for one in topic]
                for topic in topics
            ],
        }
        answer = await self._chain.rpc.ask("eth_getLogs", query)
        if not isinstance(answer, list):
            raise LedgerAnswerInvalid(f"{self._chain.ledger} sent no list of logs.")
        logs = [parse_log(item) for item in answer]
        position = (first, -1)
        for log in logs:
            if not position < (log.height, log.index) or log.height > last:
                raise LedgerAnswerInvalid(f"{self._chain.ledger} sent logs out of order or range.")
            if log.address not in addresses or not _matches(log, topics):
                raise LedgerAnswerInvalid(f"{self._chain.ledger} sent logs nobody asked for.")
            position = (log.height, log.index)
        return logs


def parse_log(value: object) -> RawLog:
    """Read a log object.

    Raises:
        LedgerAnswerInvalid: it is malformed, or was removed by a reorganisation.
    """
    address, topics, body, tx, height, index = fields(
        value, "address", "topics", "data", "transactionHash", "blockNumber", "logIndex"
    )
    if isinstance(value, dict) and value.get("removed"):
        raise LedgerAnswerInvalid("The node sent a log that a reorganisation removed.")
    if not isinstance(topics, list) or len(topics) > 4:
        raise LedgerAnswerInvalid("The node sent a log without a list of topics.")
    time = value.get("blockTimestamp") if isinstance(value, dict) else None
    return RawLog(
        data(address, 20),
        tuple(data(topic, 32) for topic in topics),
        data(body),
        hexed(data(tx, 32)),
        quantity(height),
        quantity(index),
        None if time is None else quantity(time),
    )


def event_values(event: EventType, log: RawLog) -> dict[str, Value]:
    """Decode a log's parameters by name; model ids come as 32 bytes."""
    values = event.decode(log.topics, log.data)
    for name in _MODEL_IDS & values.keys():
        values[name] = int(values[name]).to_bytes(32, "big")
    return values


def _matches(log: RawLog, topics: Topics) -> bool:
    if len(topics) > len(log.topics):
        return False
    for wanted, topic in zip(topics, log.topics, strict=False):
        if wanted is None:
            continue
        if topic != wanted and (isinstance(wanted, bytes) or topic not in wanted):
            return False
    return True
