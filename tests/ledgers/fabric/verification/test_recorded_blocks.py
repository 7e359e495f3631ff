"""Blocks that a real network made are read, checked and named as they are."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from caimi.errors.fabric import FabricPolicyNotMet
from caimi.ledgers.fabric.msp.identity import MspIdentity
from caimi.ledgers.fabric.verification.chain import ChannelChain, CheckedBlock
from caimi.ledgers.fabric.verification.configuration import ENDORSEMENT, ChannelConfiguration
from caimi.ledgers.fabric.verification.envelopes import (
    EndorsedOutcome,
    RaisedEvent,
    StateRead,
    StateWrite,
    read_outcome,
)
from caimi.ledgers.fabric.verification.transactions import endorsers_of

RECORDED = json.loads(
    (Path(__file__).parents[4] / "contracts" / "vectors" / "fabric.json").read_text()
)
BLOCKS = [base64.b64decode(block) for block in RECORDED["blocks"]]


@pytest.fixture(scope="module")
def history() -> list[CheckedBlock]:
    chain = ChannelChain.begin(RECORDED["ledger"], BLOCKS[0])
    found = [chain.head]
    for block in BLOCKS[1:]:
        chain = chain.accept(block)
        found.append(chain.head)
    return found


@pytest.fixture(scope="module")
def configuration() -> ChannelConfiguration:
    return ChannelChain.begin(RECORDED["ledger"], BLOCKS[0]).configuration


def outcomes(history: list[CheckedBlock]) -> list[tuple[str, EndorsedOutcome]]:
    entries = [entry for block in history[1:] for entry in block.entries]
    read = [(entry.verdict, read_outcome(entry.signed)) for entry in entries]
    return [(verdict, each) for verdict, each in read if each.chaincode == "trial"]


def test_the_last_blocks_hash_is_what_the_peer_says(history: list[CheckedBlock]):
    assert history[-1].hash.hex() == RECORDED["head"]


def test_the_channel_is_named_by_its_first_block(history: list[CheckedBlock]):
    assert RECORDED["ledger"] == f"fabric:{history[0].hash.hex()[:32]}"


def test_verdicts_are_fabrics(history: list[CheckedBlock]):
    verdicts = [verdict for verdict, _ in outcomes(history)]
    assert sorted(verdicts) == sorted(
        ["VALID"] * 5 + ["MVCC_READ_CONFLICT", "DUPLICATE_TXID", "ENDORSEMENT_POLICY_FAILURE"]
    )


def test_what_transactions_read_write_and_tell_is_read(history: list[CheckedBlock]):
    done = [outcome for verdict, outcome in outcomes(history) if verdict == "VALID"]
    put, told, absent, counted, deleted = done
    assert put.writes == (StateWrite("trial", "key", b"value"),)
    assert told.event == RaisedEvent("trial", "told", b"payload")
    assert StateRead("trial", "absent", None) in absent.reads
    assert counted.result == b"1"
    assert deleted.writes == (StateWrite("trial", "key", None),)


def test_creators_and_endorsers_are_members_and_fulfil_the_policy(
    history: list[CheckedBlock], configuration: ChannelConfiguration
):
    for block in history[1:]:
        for entry in block.entries:
            entry.signed.check_id()
            configuration.member(MspIdentity.read(entry.signed.creator), None)
            outcome = read_outcome(entry.signed)
            peers = endorsers_of(outcome, configuration)
            assert len(peers) == len(outcome.endorsements)
            if outcome.chaincode != "trial":
                continue
            if entry.verdict == "ENDORSEMENT_POLICY_FAILURE":
                with pytest.raises(FabricPolicyNotMet):
                    configuration.require(ENDORSEMENT, peers, "It")
            else:
                configuration.require(ENDORSEMENT, peers, "It")
