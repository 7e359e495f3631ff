"""A contract's state in a chaincode's keys is what it is in memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_peer import paper_peer, served

from caimi.contracts.state import MemoryState, Overlay, State
from caimi.errors.fabric import ChaincodeRefusal
from caimi.ledgers.fabric.chaincode.contract_state import ContractState
from caimi.ledgers.fabric.chaincode.stub import ChaincodeStub
from caimi.ledgers.fabric.keys import state_name
from caimi.ledgers.fabric.local.network import lay_out

KEYS = [b"", b"a", b"a\0", b"b", b"\xff\xfe"]
STEPS = [
    (b"a", b"one"),
    (b"", b""),
    (b"\xff\xfe", b"\0"),
    (b"a", None),
    (b"a\0", b"two"),
    (b"b", None),
]


def play(state: State) -> list[bytes | None]:
    seen: list[bytes | None] = []
    for key, value in STEPS:
        frame = Overlay(state)
        if value is None:
            frame.delete(key)
        else:
            frame.put(key, value)
        frame.commit()
        seen += [state.get(each) for each in KEYS]
    return seen


class Playing:
    seen: list[bytes | None]

    def invoke(self, stub: ChaincodeStub) -> bytes:
        self.seen = play(ContractState(stub))
        return b""


async def test_it_reads_what_memory_does_in_one_transaction_and_the_next(tmp_path):
    own = lay_out(tmp_path, first_port=21_300).organisations[0]
    contract = Playing()
    async with served(contract, own) as address, paper_peer(address, own) as peer:
        await peer.register()
        memory = MemoryState()
        for _ in range(2):
            assert (await peer.call(b"")).status == 200
            assert contract.seen == play(memory)
        kept = {state_name(key): b"\1" + value for key, value in memory.items().items()}
        assert peer.state == kept


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_keys_keep_their_order(one: bytes, other: bytes):
    assert (one < other) == (state_name(one) < state_name(other))


class Reading:
    refused: ChaincodeRefusal | None = None

    def invoke(self, stub: ChaincodeStub) -> bytes:
        try:
            ContractState(stub).get(b"a")
        except ChaincodeRefusal as refusal:
            self.refused = refusal
        return b""


@pytest.mark.parametrize("value", [b"\0", b"\2value"])
async def test_what_no_contract_wrote_is_refused(tmp_path, value: bytes):
    own = lay_out(tmp_path, first_port=21_310).organisations[0]
    contract = Reading()
    async with served(contract, own) as address, paper_peer(address, own) as peer:
        await peer.register()
        peer.state[state_name(b"a")] = value
        assert (await peer.call(b"")).status == 200
    assert contract.refused is not None
