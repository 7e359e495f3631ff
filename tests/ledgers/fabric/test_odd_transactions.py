"""Transactions that peers take for valid stop nobody who reads the channel, odd as they may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from test_connection import answering, gateway
from trial_network import TRIAL, TrialNetwork
from verification.paper_channel import DEEP, LONG_LENGTH, LONG_TAG, PaperChannel

from caimi.errors.fabric import FabricPolicyNotMet
from caimi.ledgers.fabric.channel import ChannelBlock
from caimi.ledgers.fabric.msp.identity import MspSigner
from caimi.ledgers.fabric.peer_channel import PeerChannel
from caimi.ledgers.fabric.protos.common.common_pb2 import (
    SUCCESS,
    Block,
    Envelope,
    Payload,
)
from caimi.ledgers.fabric.protos.ledger.rwset.rwset_pb2 import NsReadWriteSet
from caimi.ledgers.fabric.protos.peer.events_pb2 import DeliverResponse
from caimi.ledgers.fabric.protos.peer.proposal_response_pb2 import Endorsement
from caimi.ledgers.fabric.protos.peer.transaction_pb2 import ChaincodeActionPayload, Transaction
from caimi.ledgers.fabric.rpc.gateway import EndorsedTransaction
from caimi.ledgers.port import LedgerId

CHAINCODE = "caimi"


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> PaperChannel:
    return PaperChannel(tmp_path_factory.mktemp("paper"))


async def read_block(paper: PaperChannel, entries: Sequence[bytes]) -> ChannelBlock:
    """Read a channel of two blocks from a peer; give the second."""
    done = DeliverResponse(status=SUCCESS).SerializeToString()
    shown = [
        DeliverResponse(block=Block.FromString(each)).SerializeToString()
        for each in (paper.genesis, paper.block(entries))
    ]
    answers = iter([shown[0], done, done, shown[1], done, done])

    async def answer(_request: bytes, _context: Any) -> bytes:
        return next(answers)

    async with answering(paper.layout, answer) as connection:
        ledger = LedgerId(paper.name)
        channel = PeerChannel(ledger, gateway(paper.layout, connection), CHAINCODE)
        first, second = [block async for block in channel.blocks(None, 1)]
    assert first.transactions == ()
    return second


async def test_a_member_that_adds_to_the_endorsements_stops_no_reader(paper: PaperChannel):
    eve = Endorsement(endorser=paper.user.encoded, signature=b"none")
    entry = paper.transaction(
        chaincode=CHAINCODE, added=[Endorsement(), eve], spelled=lambda each: each + b"behind"
    ).envelope()
    (transaction,) = (await read_block(paper, [entry])).transactions
    assert [(each.name, each.value) for each in transaction.writes] == [("key", b"value")]


async def test_another_chaincodes_transaction_is_passed_over(paper: PaperChannel):
    broken = NsReadWriteSet(namespace="other", rwset=b"\xff")
    foreign = paper.transaction(written_by_others=[broken], endorsers=[], claimed_id="ab" * 32)
    own = paper.transaction(chaincode=CHAINCODE)
    block = await read_block(paper, [foreign.envelope(), own.envelope()])
    assert len(block.transactions) == 1


async def test_whichever_chaincode_is_called_the_own_keys_are_under_the_policy(
    paper: PaperChannel,
):
    written = NsReadWriteSet(namespace=CHAINCODE, rwset=b"\x1a\x03\x0a\x01a")
    entry = paper.transaction(written_by_others=[written], endorsers=paper.peers[:1]).envelope()
    with pytest.raises(FabricPolicyNotMet):
        await read_block(paper, [entry])


def odd(envelope: bytes, signer: MspSigner) -> bytes:
    """Do with an endorsed transaction all that its sender can, and sign it again."""
    payload = Payload.FromString(Envelope.FromString(envelope).payload)
    transaction = Transaction.FromString(payload.data)
    call = ChaincodeActionPayload.FromString(transaction.actions[0].payload)
    true = list(call.action.endorsements)
    for each in true:
        each.signature += b"behind"
    forged = [Endorsement(endorser=each.endorser, signature=b"forged") for each in true]
    none = [Endorsement(), Endorsement(endorser=b"\xff")] * 150
    del call.action.endorsements[:]
    call.action.endorsements.extend([*none, *forged, *true, *true])
    transaction.actions[0].payload = call.SerializeToString() + DEEP
    payload.data = transaction.SerializeToString() + LONG_TAG
    whole = payload.SerializeToString() + DEEP + LONG_LENGTH
    signature = signer.sign(whole) + b"behind"
    return bytes(Envelope(payload=whole, signature=signature).SerializeToString())


async def test_a_real_channel_takes_odd_transactions_and_readers_do(fabric: TrialNetwork):
    """What this program passes over real peers do: else the rest here would prove nothing."""
    signer = fabric.first.user.signer()
    key = uuid4().hex
    async with fabric.connection() as connection:
        gateway = fabric.gateway(connection, signer)
        endorsed = await gateway.endorse(TRIAL, b"put", key.encode(), b"value")
        sent = EndorsedTransaction.read(odd(endorsed.envelope, signer))
        assert sent.envelope != endorsed.envelope
        await gateway.submit(sent)
        done = await gateway.committed(sent)
        ledger = LedgerId(fabric.ledger)
        channel = PeerChannel(ledger, fabric.gateway(connection), TRIAL)
        blocks = [each async for each in channel.blocks(None, done.block)]
    (transaction,) = blocks[-1].transactions
    assert [(each.name, each.value) for each in transaction.writes] == [(key, b"value")]
