"""A ledger handed over to a timelock: what waits, what is seen, and what refuses the hand-over."""

from __future__ import annotations

import asyncio

import pytest
from governed_ledger import (
    CANCELLER,
    DEPLOYER,
    EVERYBODY,
    GUARDIAN,
    PROPOSER,
    STRANGER,
    new_ledger,
    wait,
)
from ledger_site import Killed, MemoryOutbox

from caimi.composition.joining import join_ledgers
from caimi.errors.ledgers import (
    DelayRefused,
    HandOverRefused,
    NotAllowed,
    NoTimelock,
    ProposalRefused,
    TransactionReverted,
)
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.changes import (
    set_limits,
    set_supply_cap,
    unpause_bridge,
    unpause_route,
)
from caimi.ledgers.evm.administration.deploying import GUARDIAN_ROLE
from caimi.ledgers.evm.administration.governance import (
    ANYONE,
    DAY,
    hand_over,
    read_governance,
    timelock_of,
)
from caimi.ledgers.evm.administration.roles import ADMIN_ROLE, authority_of
from caimi.ledgers.evm.administration.timelock import OWNER, Timelock
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.contract import Contract
from caimi.ledgers.port import Call
from caimi.messaging.checkpoint import make_committee

DELAY = 3 * DAY


async def with_route() -> tuple[EvmLedger, str]:
    a, b = await asyncio.gather(new_ledger(), new_ledger(31338))
    members = tuple(LocalSigner.generate().account for _ in range(3))
    on_a, _ = await join_ledgers(
        EvmAdministered(a, DEPLOYER), EvmAdministered(b, DEPLOYER), make_committee(0, 2, members)
    )
    return a, on_a


async def handed_over(ledger: EvmLedger) -> Timelock:
    await hand_over(
        ledger,
        DEPLOYER,
        proposers=[PROPOSER.account],
        cancellers=[CANCELLER.account],
        delay=DELAY,
    )
    return await timelock_of(ledger)


async def propose(ledger: EvmLedger, timelock: Timelock, change: Call[None]) -> bytes:
    operation, call = await timelock.propose(change)
    await ledger.submit(call, PROPOSER)
    return operation


async def admin(ledger: EvmLedger, method: str, *arguments: object) -> None:
    """What the deployer may still do before it hands over."""
    await ledger.submit(authority_of(ledger).call(method, method, *arguments), DEPLOYER)


async def test_after_the_hand_over_the_timelock_alone_administers() -> None:
    ledger, route = await with_route()
    assert (await read_governance(ledger)).ways_around == (
        f"0x{DEPLOYER.account.hex()} administers without delay",
    )
    timelock = await handed_over(ledger)
    found = await read_governance(ledger)
    assert found.administrators == (timelock.address,) == (found.timelock,)
    assert found.delay == DELAY
    assert found.guardians == (GUARDIAN.account,)
    assert found.bridges == (ledger.deployment.contracts["bridge"],)
    assert found.proposers == (PROPOSER.account,)
    assert found.executors == (ANYONE,)
    assert set(found.cancellers) == {PROPOSER.account, CANCELLER.account}
    assert (await timelock.holders())[OWNER] == (timelock.address,)
    assert found.pending == found.ways_around == ()

    await ledger.submit(ledger.watching.pause_route(route), GUARDIAN)
    for who in EVERYBODY:
        for change in (unpause_route(ledger, route), set_supply_cap(ledger, route, 5)):
            with pytest.raises(NotAllowed):
                await ledger.submit(change, who)
        granting = authority_of(ledger).call("", "grantRole", ADMIN_ROLE, who.account, 0)
        with pytest.raises(NotAllowed):
            await ledger.submit(granting, who)


async def test_a_change_is_seen_waits_and_is_carried_out_by_anyone() -> None:
    ledger, route = await with_route()
    timelock = await handed_over(ledger)
    await ledger.submit(ledger.watching.pause_route(route), GUARDIAN)
    for who in (DEPLOYER, GUARDIAN, CANCELLER, STRANGER):
        _, call = await timelock.propose(unpause_route(ledger, route))
        with pytest.raises(NotAllowed):
            await ledger.submit(call, who)
    before = (await ledger.head()).time
    proposed = await propose(ledger, timelock, unpause_route(ledger, route))
    (waiting,) = await timelock.pending()
    assert waiting.id == proposed
    assert before + DELAY <= waiting.ready_at <= (await ledger.head()).time + DELAY
    assert waiting.says == (f"gateway.unpauseRoute({route})",)
    with pytest.raises(ProposalRefused, match="pending"):
        await timelock.propose(unpause_route(ledger, route))

    await wait(ledger, DELAY - 60)
    with pytest.raises(TransactionReverted) as early:
        await ledger.submit(timelock.execute(waiting), PROPOSER)
    assert early.value.error == "TimelockUnexpectedOperationState"
    await wait(ledger, 60)
    await ledger.submit(timelock.execute(waiting), STRANGER)
    assert await timelock.pending() == []
    with pytest.raises(TransactionReverted) as paused:
        await ledger.submit(timelock.execute(waiting), STRANGER)
    assert paused.value.error == "TimelockUnexpectedOperationState"
    await ledger.submit(ledger.watching.pause_route(route), GUARDIAN)  # it had been unpaused
    again = await propose(ledger, timelock, unpause_route(ledger, route))
    assert again != proposed


async def test_a_change_is_cancelled_by_who_may_and_proposed_again() -> None:
    ledger = await new_ledger()
    timelock = await handed_over(ledger)
    limits = set_limits(ledger, "caimi-31337-0", receiving=True, count=3, per_day=10)
    proposed = await propose(ledger, timelock, limits)
    waiting = await timelock.operation(proposed)
    for who in (DEPLOYER, GUARDIAN, STRANGER):
        with pytest.raises(NotAllowed):
            await ledger.submit(timelock.cancel(waiting), who)
    await ledger.submit(timelock.cancel(waiting), CANCELLER)
    assert await timelock.pending() == []
    with pytest.raises(ProposalRefused, match="never"):
        await timelock.operation(proposed)
    await wait(ledger, DELAY)
    with pytest.raises(TransactionReverted):
        await ledger.submit(timelock.execute(waiting), PROPOSER)
    assert await propose(ledger, timelock, limits) == proposed
    await wait(ledger, DELAY)
    await ledger.submit(timelock.execute(await timelock.operation(proposed)), STRANGER)


async def test_a_batch_and_what_is_unknown_are_shown_and_carried_out() -> None:
    ledger = await new_ledger()
    timelock = await handed_over(ledger)
    contract = Contract(ledger.chain, timelock.address, artifact("TimelockController").interface)
    unknown = EvmCall(ledger.id, "", bytes(19) + b"\x04", b"\x01\x02\x03\x04\x05", 0, nothing)
    calls = [set_supply_cap(ledger, "caimi-31337-0", 5), unknown]
    scheduling = contract.call(
        "A batch",
        "scheduleBatch",
        [call.target for call in calls],
        [0, 0],
        [call.data for call in calls],
        bytes(32),
        b"\x07" * 32,
        DELAY,
    )
    await ledger.submit(scheduling, PROPOSER)
    (waiting,) = await timelock.pending()
    assert waiting.says == (
        "bridge.setSupplyCap(caimi-31337-0, 5)",
        f"0x{unknown.target.hex()}: 0x0102030405",
    )
    await wait(ledger, DELAY)
    await ledger.submit(timelock.execute(waiting), STRANGER)
    bridge = Contract(
        ledger.chain, ledger.deployment.contracts["bridge"], artifact("ModelBridge").interface
    )
    assert (await bridge.read("outstanding", "caimi-31337-0"))[1] == 5
    assert await timelock.pending() == []


class Dying(MemoryOutbox):
    """Dies after its `step`-th transaction is written down."""

    def __init__(self, entries: dict[str, object], step: int) -> None:
        super().__init__(entries)
        self._step = step

    async def record(self, key: str, call: object) -> None:
        self.die_after_record = len(self.entries) == self._step
        await super().record(key, call)


@pytest.mark.parametrize("step", range(5))
async def test_a_hand_over_that_is_killed_goes_on(step: int) -> None:
    ledger, outbox = await new_ledger(), MemoryOutbox()
    wanted = {
        "proposers": [PROPOSER.account],
        "cancellers": [CANCELLER.account],
        "delay": DELAY,
        "outbox": outbox,
    }

    dying = Dying(outbox.entries, step)
    with pytest.raises(Killed):
        await hand_over(ledger, DEPLOYER, **{**wanted, "outbox": dying})
    done = await hand_over(ledger, DEPLOYER, **wanted)
    assert done.administrators == (done.timelock,)
    assert done.ways_around == ()
    assert len(outbox.entries) == 5
    assert await hand_over(ledger, DEPLOYER, **wanted) == done


async def test_a_way_around_that_came_up_meanwhile_keeps_the_deployer_from_giving_up() -> None:
    ledger, outbox = await new_ledger(), MemoryOutbox()
    wanted = {"proposers": [PROPOSER.account], "delay": DELAY}
    with pytest.raises(Killed):
        await hand_over(ledger, DEPLOYER, **wanted, outbox=Dying(outbox.entries, 1))
    await admin(ledger, "grantRole", ADMIN_ROLE, STRANGER.account, 0)
    with pytest.raises(HandOverRefused, match="administers it too"):
        await hand_over(ledger, DEPLOYER, **wanted, outbox=outbox)
    assert DEPLOYER.account in (await read_governance(ledger)).administrators
    await admin(ledger, "revokeRole", ADMIN_ROLE, STRANGER.account)
    done = await hand_over(ledger, DEPLOYER, **wanted, outbox=outbox)
    assert done.administrators == (done.timelock,)


@pytest.mark.parametrize("delay", [0, DAY - 1, 30 * DAY + 1])
async def test_a_delay_too_short_or_too_long_is_refused(delay: int) -> None:
    ledger = await new_ledger()
    with pytest.raises(DelayRefused):
        await hand_over(ledger, DEPLOYER, proposers=[PROPOSER.account], delay=delay)


async def test_nobody_or_everybody_as_proposer_or_canceller_is_refused() -> None:
    ledger = await new_ledger()
    for proposers, executors, cancellers in (
        ([], [ANYONE], []),
        ([ANYONE], [ANYONE], []),
        ([PROPOSER.account], [], []),
        ([PROPOSER.account], [ANYONE], [ANYONE]),
    ):
        with pytest.raises(HandOverRefused):
            await hand_over(
                ledger,
                DEPLOYER,
                proposers=proposers,
                executors=executors,
                cancellers=cancellers,
                delay=DELAY,
            )
    assert (await read_governance(ledger)).administrators == (DEPLOYER.account,)


async def test_who_is_no_administrator_hands_nothing_over() -> None:
    ledger = await new_ledger()
    with pytest.raises(HandOverRefused, match="does not administer"):
        await hand_over(ledger, STRANGER, proposers=[STRANGER.account], delay=DELAY)
    await handed_over(ledger)
    with pytest.raises(HandOverRefused, match="does not administer"):
        await handed_over(ledger)


async def test_a_way_around_the_timelock_refuses_the_hand_over() -> None:
    ledger = await new_ledger()
    gateway = ledger.deployment.contracts["gateway"]
    unpause = artifact("Gateway").interface["unpauseRoute"].selector
    changes = {
        "administers it too": (("grantRole", 0, STRANGER.account, 0), ("revokeRole", 0)),
        "may call": (
            ("setTargetFunctionRole", gateway, [unpause], GUARDIAN_ROLE),
            ("setTargetFunctionRole", gateway, [unpause], ADMIN_ROLE),
        ),
        "bridge alone may": (("grantRole", 1, STRANGER.account, 0), ("revokeRole", 1)),
        "exit alone may": (("grantRole", 3, STRANGER.account, 0), ("revokeRole", 3)),
        "given by another": (("setRoleAdmin", 2, 7), ("setRoleAdmin", 2, 0)),
    }
    for reason, (change, undo) in changes.items():
        await admin(ledger, *change)
        outbox = MemoryOutbox()
        with pytest.raises(HandOverRefused, match=reason):
            await hand_over(
                ledger, DEPLOYER, proposers=[PROPOSER.account], delay=DELAY, outbox=outbox
            )
        assert outbox.entries == {}  # not a transaction was spent on it
        undone = (*undo, STRANGER.account) if undo[0] == "revokeRole" else undo
        await admin(ledger, *undone)
    await admin(ledger, "setTargetAdminDelay", gateway, DAY)
    await wait(ledger, 6 * DAY)
    with pytest.raises(HandOverRefused, match="to be administered"):
        await handed_over(ledger)
    assert (await read_governance(ledger)).administrators == (DEPLOYER.account,)


async def test_a_ledger_without_a_timelock_says_who_administers_it() -> None:
    ledger = await new_ledger()
    with pytest.raises(NoTimelock, match=DEPLOYER.account.hex()):
        await timelock_of(ledger)


async def test_the_end_of_a_pause_of_the_bridge_is_a_change_too() -> None:
    ledger = await new_ledger()
    timelock = await handed_over(ledger)
    bridge = Contract(
        ledger.chain, ledger.deployment.contracts["bridge"], artifact("ModelBridge").interface
    )
    await ledger.submit(bridge.call("Pausing", "pause"), GUARDIAN)
    await propose(ledger, timelock, unpause_bridge(ledger))
    await wait(ledger, DELAY)
    (waiting,) = await timelock.pending()
    await ledger.submit(timelock.execute(waiting), STRANGER)
    assert await bridge.read("paused") == (False,)
