"""Who published a version: the account that its event names, in the block of its time.

The registry keeps when a version was published, not by whom, which the event alone tells. Times of
blocks never fall, so that block is found by halving, whatever range of logs a node allows.
"""

from __future__ import annotations

from caimi.errors.ledgers import LedgerAnswerInvalid
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.evm.rpc.logs import EventReader


class VersionPublishers:
    """Reads the publishers of versions in one registry's logs since `deployed_at`."""

    def __init__(self, contract: Contract, events: EventReader, deployed_at: int) -> None:
        self._contract = contract
        self._events = events
        self._deployed_at = deployed_at

    async def of(self, model_id: bytes, version_id: bytes, published_at: int) -> bytes:
        """Give the account that published a version at that time.

        Raises:
            LedgerAnswerInvalid: the node shows no such event, or several.
        """
        chain = self._contract.chain
        head = await chain.head_height()
        first = await _first_since(chain, published_at, self._deployed_at, head)
        last = await _beyond(chain, published_at, first, head)
        topic = self._contract.interface.events["VersionPublished"].topic
        found = await self._events.events(
            [self._contract.address], [topic, model_id, version_id], first, last
        )
        publishers = [event.values["publisher"] for event in found]
        if len(publishers) != 1 or not isinstance(publishers[0], bytes):
            raise LedgerAnswerInvalid(
                f"{chain.ledger} shows {len(publishers)} publications of a version of model "
                f"0x{model_id.hex()}, not one."
            )
        return publishers[0]


async def _first_since(chain: Chain, time: int, low: int, high: int) -> int:
    """Give the first height from `low` to `high` whose block is not before `time`, or `high`."""
    while low < high:
        middle = (low + high) // 2
        if (await chain.block(middle)).time >= time:
            high = middle
        else:
            low = middle + 1
    return low


async def _beyond(chain: Chain, time: int, first: int, head: int) -> int:
    """Give a height from `first` on that no block of that time is above: several can share one."""
    step = 1
    while first + step < head and (await chain.block(first + step)).time <= time:
        step *= 2
    return min(first + step, head)
