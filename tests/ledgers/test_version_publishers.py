"""The publisher of a version is found by its time, however many blocks share that time."""

from itertools import accumulate
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.ledgers import LedgerAnswerInvalid
from caimi.ledgers.evm.facets.publishers import VersionPublishers

MODEL, VERSION, ALICE = b"\x01" * 32, b"\x02" * 32, b"\x03" * 20


class Node:
    """A chain and its logs: blocks of these times, and who published at which heights."""

    ledger = "eip155:1"

    def __init__(self, times, published):
        self.times, self.published = times, published
        self.asked = 0
        event = SimpleNamespace(topic=b"\x04" * 32)
        self.contract = SimpleNamespace(
            chain=self,
            address=b"\x05" * 20,
            interface=SimpleNamespace(events={"VersionPublished": event}),
        )

    async def head_height(self):
        return len(self.times) - 1

    async def block(self, height):
        self.asked += 1
        return SimpleNamespace(height=height, time=self.times[height])

    async def events(self, addresses, topics, first, last):
        assert addresses == [self.contract.address]
        assert topics[1:] == [MODEL, VERSION]
        return [
            SimpleNamespace(values={"publisher": who})
            for height, who in self.published
            if first <= height <= last
        ]

    async def publisher(self, time, deployed_at=0):
        publishers = VersionPublishers(self.contract, self, deployed_at)
        return await publishers.of(MODEL, VERSION, time)


@given(st.lists(st.sampled_from((0, 0, 1, 5)), min_size=1, max_size=300), st.data())
async def test_the_publisher_is_found_with_few_questions(steps, data):
    times = list(accumulate(steps))
    height = data.draw(st.integers(0, len(times) - 1))
    node = Node(times, [(height, ALICE)])
    assert await node.publisher(times[height], data.draw(st.integers(0, height))) == ALICE
    assert node.asked <= 2 * (len(times).bit_length() + 1)


async def test_a_node_that_shows_no_publication_or_two_is_not_believed():
    times = list(range(10))
    with pytest.raises(LedgerAnswerInvalid):
        await Node(times, []).publisher(4)
    with pytest.raises(LedgerAnswerInvalid):
        await Node(times, [(4, ALICE), (4, b"\x09" * 20)]).publisher(4)
