"""What a header commits to of receipts, compared with py-trie and eth-bloom."""

from __future__ import annotations

import rlp
from eth_bloom import BloomFilter
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from caimi.ledgers.evm.proofs.receipts_root import (
    TransactionReceipt,
    bloom,
    may_hold,
    receipts_root,
    trie_root,
)
from caimi.ledgers.evm.rpc.logs import RawLog

topics = st.lists(st.binary(min_size=32, max_size=32), max_size=4).map(tuple)
logs = st.builds(
    RawLog,
    address=st.binary(min_size=20, max_size=20),
    topics=topics,
    data=st.binary(max_size=80),
    tx=st.just("0x"),
    height=st.just(1),
    index=st.just(0),
)
receipts = st.builds(
    TransactionReceipt,
    kind=st.sampled_from([0, 1, 2, 3, 4, 0x7E, 0x6A]),
    status=st.integers(0, 1),
    cumulative_gas=st.integers(0, 1 << 40),
    logs=st.lists(logs, max_size=3).map(tuple),
    appended=st.lists(st.integers(0, 1 << 20), max_size=2).map(tuple),
)


@given(st.lists(receipts, max_size=20))
def test_the_root_of_receipts_is_py_tries(found: list[TransactionReceipt]) -> None:
    reference = HexaryTrie({})
    for place, receipt in enumerate(found):
        reference[rlp.encode(place)] = receipt.encode()
    assert receipts_root(found) == reference.root_hash


@given(st.dictionaries(st.binary(min_size=1, max_size=4), st.binary(min_size=1, max_size=40)))
def test_the_root_of_any_entries_is_py_tries(entries: dict[bytes, bytes]) -> None:
    reference = HexaryTrie({})
    for key, value in entries.items():
        reference[key] = value
    assert trie_root(entries) == reference.root_hash


@given(st.lists(logs, max_size=20), logs)
def test_the_filter_is_eth_blooms_and_never_hides_a_log(found: list[RawLog], other: RawLog) -> None:
    reference = BloomFilter()
    for log in found:
        reference.extend([log.address, *log.topics])
    assert bloom(found) == int(reference).to_bytes(256, "big")
    assert all(may_hold(bloom(found), (log.address, *log.topics)) for log in found)
    assert may_hold(bloom([other]), (other.address,))
    assert not may_hold(bytes(256), (other.address,))
