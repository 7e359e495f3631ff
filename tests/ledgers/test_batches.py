"""Batches for multi-signature accounts: their files, what they do in words, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from governed_ledger import DEPLOYER, GUARDIAN, STRANGER, new_ledger, wait

from caimi.errors.base import CaimiError
from caimi.errors.batches import BatchInvalid, UnknownCall
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import EvmCall
from caimi.ledgers.evm.administration.batches import (
    MAX_BATCH_BYTES,
    SafeBatch,
    read_batch,
    write_batch,
)
from caimi.ledgers.evm.administration.changes import unpause_bridge
from caimi.ledgers.evm.administration.deploying import GUARDIAN_ROLE
from caimi.ledgers.evm.administration.explaining import Explainer
from caimi.ledgers.evm.administration.governance import DAY, hand_over, read_governance, timelock_of
from caimi.ledgers.evm.administration.roles import ADMIN_ROLE, authority_of
from caimi.ledgers.evm.administration.timelock import TimelockCall
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.rpc.contract import Contract
from multisig_account import MultisigAccount

CALL = TimelockCall(b"\x11" * 20, 0, b"\xab\xcd")
BATCH = SafeBatch(31337, "Ending a pause", b"\x22" * 20, 1_700_000_000_000, (CALL, CALL))

CHECKSUM = "0xcef1bd33f201b89dfb88b12ff99e5d6b0e5fc93a243048a83300a3ad80398b51"


def changed(**fields: object) -> bytes:
    document = json.loads(write_batch(BATCH)) | fields
    document["meta"] = {k: v for k, v in document["meta"].items() if k != "checksum"}
    return json.dumps(document).encode()


def transaction(**fields: object) -> bytes:
    return changed(transactions=[{"to": f"0x{'11' * 20}", "value": "0", "data": "0x"} | fields])


def test_a_batch_is_read_as_it_was_written() -> None:
    assert read_batch(write_batch(BATCH).encode(), 31337) == BATCH
    assert read_batch(write_batch(replace(BATCH, safe=b"")).encode(), 31337).safe == b""


def test_it_is_as_the_transaction_builder_has_it() -> None:
    """The checksum was made by the builder's own function, with the same fields."""
    document = json.loads(write_batch(BATCH))
    assert document["version"] == "1.0"
    assert document["chainId"] == "31337"
    assert document["transactions"][0] == {
        "to": "0x1111111111111111111111111111111111111111",
        "value": "0",
        "data": "0xabcd",
        "contractMethod": None,
        "contractInputsValues": None,
    }
    assert document["meta"]["checksum"] == CHECKSUM


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 5000,
        b" " * (MAX_BATCH_BYTES + 1),
        changed(version="2.0"),
        changed(chainId="1"),
        changed(chainId=31337),
        changed(createdAt="yesterday"),
        changed(createdAt=True),
        changed(transactions=[]),
        changed(transactions=[{}] * 101),
        changed(more=1),
        changed(meta={"name": "x", "unknown": "y"}),
        changed(meta={"name": "x", "createdFromSafeAddress": "0x12"}),
        transaction(to="0x12"),
        transaction(value="-1"),
        transaction(value="0x10"),
        transaction(value="9" * 79),
        transaction(value=0),
        transaction(data="0xabc"),
        transaction(data="0xAB"),
        transaction(data=None),
        transaction(operation=1),
        transaction(contractMethod={"name": "approve", "inputs": [], "payable": False}),
        transaction(contractInputsValues={"who": "0x"}),
        write_batch(BATCH).encode().replace(b'"0xabcd"', b'"0xabce"'),
    ],
)
def test_what_is_no_batch_for_this_ledger_is_refused(data: bytes) -> None:
    with pytest.raises(BatchInvalid):
        read_batch(data, 31337)


async def test_calls_that_caimi_does_not_make_are_refused() -> None:
    ledger = await new_ledger()
    board = LocalSigner.generate().account
    await hand_over(ledger, DEPLOYER, proposers=[board], delay=DAY)
    timelock = await timelock_of(ledger)
    explainer = Explainer(ledger, timelock.address)
    authority, at = authority_of(ledger), ledger.deployment.contracts
    guardians_mint = authority.call(
        "", "setTargetFunctionRole", at["registry"], [b"\x12\x34\x56\x78"], GUARDIAN_ROLE
    )
    freeze = artifact("CommitteeClient").interface["freeze"].selector
    guardians_migrate = authority.call(
        "", "setTargetFunctionRole", STRANGER.account, [b"\x12\x34\x56\x78"], GUARDIAN_ROLE
    )
    guardians_of_ours = authority.call(
        "", "setTargetFunctionRole", at["gateway"], [freeze], GUARDIAN_ROLE
    )
    anyone_freezes = authority.call("", "setTargetFunctionRole", STRANGER.account, [freeze], 7)
    no_delay = Contract(
        ledger.chain, timelock.address, artifact("TimelockController").interface
    ).call("", "updateDelay", 0)
    takes_over = authority.call("", "grantRole", ADMIN_ROLE, STRANGER.account, 0)
    together = authority.call(
        "", "multicall", [authority.interface["grantRole"].encode(ADMIN_ROLE, board, 0)]
    )
    unknown = (takes_over, guardians_mint, guardians_migrate, guardians_of_ours, anyone_freezes)
    for change in (*unknown, together, no_delay):
        direct = TimelockCall(change.target, 0, change.data)
        operation = await timelock.together([change])
        scheduled = await timelock.schedule("", operation)
        within = TimelockCall(scheduled.target, 0, scheduled.data)
        hidden = await timelock.schedule(
            "", await timelock.together([unpause_bridge(ledger), change])
        )
        for call in (direct, within, TimelockCall(hidden.target, 0, hidden.data)):
            with pytest.raises(UnknownCall):
                explainer.explain(call)
    unpause = unpause_bridge(ledger)
    later = await timelock.schedule("", await timelock.together([unpause]))
    later = await timelock.schedule("", await timelock.together([later]))
    with pytest.raises(UnknownCall):  # the timelock proposes nothing to itself
        explainer.explain(TimelockCall(later.target, 0, later.data))
    known = TimelockCall(unpause.target, 0, unpause.data)
    assert explainer.explain(known) == ["unpause-bridge: bridge.unpause()"]
    for call in (
        replace(known, value=1),
        replace(known, target=STRANGER.account),
        replace(known, data=known.data + b"\0"),
        replace(known, data=b"\xff\xff\xff\xff"),
        replace(known, data=b""),
    ):
        with pytest.raises(UnknownCall):
            explainer.explain(call)


async def test_text_within_a_call_is_not_taken_for_more_than_a_text() -> None:
    ledger = await new_ledger()
    explainer, gateway = Explainer(ledger), ledger.gateway

    def said(client: str) -> list[str]:
        call = gateway.set_counterparty("caimi-31337-0", client)
        assert isinstance(call, EvmCall)
        return explainer.explain(TimelockCall(call.target, 0, call.data))

    assert said("07-tendermint-0")[0].endswith("setCounterparty(caimi-31337-0, 07-tendermint-0)")
    for text in ("x)\n2  unpause-bridge: bridge.unpause(", "a, b", "\u202e0-73313-imiac", ""):
        (line,) = said(text)
        assert line.isascii()
        assert line.isprintable()
        assert line.endswith(f"(caimi-31337-0, {json.dumps(text)})")


async def test_a_multisignature_account_proposes_and_the_change_happens() -> None:
    ledger = await new_ledger()
    owners = [LocalSigner.generate() for _ in range(3)]
    board = await MultisigAccount.create(ledger, DEPLOYER, owners, 2)
    await hand_over(ledger, DEPLOYER, proposers=[board.address], delay=DAY)
    await ledger.submit(
        Contract(
            ledger.chain, ledger.deployment.contracts["bridge"], artifact("ModelBridge").interface
        ).call("", "pause"),
        GUARDIAN,
    )
    timelock = await timelock_of(ledger)
    operation, call = await timelock.propose(unpause_bridge(ledger))
    steps = (TimelockCall(call.target, call.value, call.data),)
    batch = read_batch(write_batch(SafeBatch(31337, "", board.address, 0, steps)).encode(), 31337)
    assert Explainer(ledger, timelock.address).explain(batch.calls[0]) == [
        f"propose, to be carried out after {DAY} s",
        "  unpause-bridge: bridge.unpause()",
    ]
    for too_few in ([owners[0]], [owners[0], owners[0]], [owners[0], STRANGER]):
        with pytest.raises(CaimiError):
            await ledger.submit(await board.signed(batch.calls, too_few), STRANGER)
    await ledger.submit(await board.signed(batch.calls, owners[1:]), STRANGER)
    (pending,) = (await read_governance(ledger)).pending
    assert pending.id == operation
    assert pending.says == ("bridge.unpause()",)
    await wait(ledger, DAY)
    await ledger.submit(timelock.execute(pending), STRANGER)
    assert (await read_governance(ledger)).pending == ()
