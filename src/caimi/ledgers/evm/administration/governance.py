"""Handing a ledger's administration over to a timelock.

One delay, in one place: the timelock's. The AccessManager could delay administrators, the
administration of targets and the giving of roles as well, each on top of the timelock's delay, as
further operations that somebody would have to schedule and carry out; all three stay zero. So a
change waits once, is published once, and is cancelled in one place.

Every transaction has an outbox key: a hand-over that was killed goes on where it stopped. The
deployer gives its role up last, when everything else was read back as it must be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from caimi.errors.ledgers import (
    DelayRefused,
    HandOverRefused,
    LedgerAnswerInvalid,
    NoTimelock,
    TransactionReverted,
)
from caimi.ledgers.evm.abi.calls import EvmCall, contract_creation
from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.administration.deploying import BRIDGE_ROLE, GUARDIAN_ROLE
from caimi.ledgers.evm.administration.exits import EmergencyExit, Exit
from caimi.ledgers.evm.administration.roles import ADMIN_ROLE, Roles, authority_of, read_roles
from caimi.ledgers.evm.administration.timelock import (
    CANCELLER,
    EXECUTOR,
    OWNER,
    PROPOSER,
    Timelock,
    TimelockOperation,
)
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.rpc.contract import NO_ADDRESS, Contract, account
from caimi.ledgers.port import LedgerId, Outbox, Signer

if TYPE_CHECKING:
    from caimi.ledgers.evm.ledger import EvmLedger

DAY = 24 * 3600
LEAST_DELAY = DAY
GREATEST_DELAY = 30 * DAY
ANYONE = NO_ADDRESS
"""As an executor: whoever likes carries out what has waited long enough."""


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Governance:
    """Who can change what on a ledger, and what is about to change.

    `timelock` is empty when an account administers the ledger itself; then `delay` is 0 seconds and
    the timelock's roles are empty. Accounts are 20 bytes each, in ascending order.
    """

    ledger: LedgerId
    administrators: tuple[bytes, ...]
    guardians: tuple[bytes, ...]
    bridges: tuple[bytes, ...]
    timelock: bytes
    delay: int
    proposers: tuple[bytes, ...]
    executors: tuple[bytes, ...]
    cancellers: tuple[bytes, ...]
    pending: tuple[TimelockOperation, ...]
    exits: tuple[Exit, ...]
    ways_around: tuple[str, ...]


async def read_governance(ledger: EvmLedger) -> Governance:
    """Read who governs a ledger, and what waits."""
    roles = await read_roles(ledger)
    timelock = await _timelock_of(ledger, roles)
    around = _admins_around(roles, timelock) + roles.ways_around(ledger.deployment.contracts)
    holders = await timelock.holders() if timelock else {}
    if timelock:
        around += _givers_around(timelock, holders)
    return Governance(
        ledger=ledger.id,
        administrators=roles.of(ADMIN_ROLE),
        guardians=roles.of(GUARDIAN_ROLE),
        bridges=roles.of(BRIDGE_ROLE),
        timelock=timelock.address if timelock else b"",
        delay=await timelock.delay() if timelock else 0,
        proposers=holders.get(PROPOSER, ()),
        executors=holders.get(EXECUTOR, ()),
        cancellers=holders.get(CANCELLER, ()),
        pending=tuple(await timelock.pending()) if timelock else (),
        exits=tuple(await EmergencyExit(ledger).opened()),
        ways_around=tuple(around),
    )


async def timelock_of(ledger: EvmLedger) -> Timelock:
    """Give the timelock that administers a ledger.

    Raises:
        NoTimelock: an account does.
    """
    roles = await read_roles(ledger)
    timelock = await _timelock_of(ledger, roles)
    if timelock is None:
        admins = ", ".join(f"0x{who.hex()}" for who in roles.of(ADMIN_ROLE)) or "nobody"
        raise NoTimelock(f"{ledger.id} is administered by {admins}, without a timelock.")
    return timelock


async def hand_over(
    ledger: EvmLedger,
    signer: Signer,
    *,
    proposers: Sequence[bytes],
    executors: Sequence[bytes] = (ANYONE,),
    cancellers: Sequence[bytes] = (),
    delay: int,
    outbox: Outbox | None = None,
    key: str = "hand-over",
) -> Governance:
    """Make a new timelock the only administrator of a ledger; `signer` is the one until now.

    `delay` is in seconds. Proposers may cancel too; `cancellers` are further accounts that may.
    Guardians stay as they are: they stop things, at once, and can do nothing else.

    Raises:
        DelayRefused: the delay is shorter than 24 hours or longer than 30 days.
        HandOverRefused: something would be a way around the timelock; nothing was given up.
        NotAllowed: `signer` administers the ledger no more, or never did.
    """
    if not LEAST_DELAY <= delay <= GREATEST_DELAY:
        raise DelayRefused(f"A delay of {delay} s was asked for.")
    proposers = [account(who) for who in proposers]
    if not proposers or NO_ADDRESS in proposers:
        raise HandOverRefused("Nobody, or everybody, would propose changes.")
    if not executors or NO_ADDRESS in cancellers:
        raise HandOverRefused("Nobody would carry changes out, or everybody could cancel them.")
    prefix = f"{key}/{ledger.id}"
    resumed = outbox is not None and await outbox.sent(f"{prefix}/timelock") is not None
    roles = await read_roles(ledger)
    if not resumed:
        _check_before(ledger, roles, signer.account)

    async def submit(step: str, call: EvmCall[R]) -> R:
        done = await ledger.submit(call, signer, outbox=outbox, key=f"{prefix}/{step}")
        return done.effect

    # An owner beside the timelock itself is needed only to name cancellers, and gives that up.
    contract = artifact("TimelockController")
    owner = signer.account if cancellers else NO_ADDRESS
    code = contract.bytecode + encode(
        contract.interface.constructor, [delay, proposers, [*executors], owner]
    )
    address = await submit("timelock", contract_creation(ledger.id, "Deploying a timelock", code))
    at = Contract(ledger.chain, address, contract.interface)
    for who in cancellers:
        named = at.call("Naming a canceller", "grantRole", CANCELLER, account(who))
        await submit(f"canceller/{who.hex()}", named)
    if cancellers:
        left = at.call("Giving the timelock up", "renounceRole", OWNER, signer.account)
        await submit("timelock-renounced", left)

    authority = authority_of(ledger)
    granted = authority.call(
        "Making the timelock administrator", "grantRole", ADMIN_ROLE, address, 0
    )
    await submit("granted", granted)
    timelock = Timelock(ledger, address)
    await _check_timelock(timelock, delay, proposers, executors, cancellers)
    roles = await read_roles(ledger)
    _check_roles(ledger, roles, {signer.account, address}, address)
    renounced = authority.call(
        "Giving the administration up", "renounceRole", ADMIN_ROLE, signer.account
    )
    await submit("renounced", renounced)
    roles = await read_roles(ledger)
    _check_roles(ledger, roles, {address}, address)
    return await read_governance(ledger)


def _check_before(ledger: EvmLedger, roles: Roles, deployer: bytes) -> None:
    """Refuse before anything is done what would be refused at the end."""
    if deployer not in roles.of(ADMIN_ROLE):
        raise HandOverRefused(f"0x{deployer.hex()} does not administer {ledger.id}.")
    _check_roles(ledger, roles, {deployer}, deployer)


def _check_roles(ledger: EvmLedger, roles: Roles, allowed: set[bytes], needed: bytes) -> None:
    wrong = [
        f"0x{who.hex()} administers it too" for who in roles.of(ADMIN_ROLE) if who not in allowed
    ]
    delay = roles.members.get(ADMIN_ROLE, {}).get(needed)
    if delay is None:
        wrong.append(f"0x{needed.hex()} does not administer it")
    elif delay:
        wrong.append(f"0x{needed.hex()} waits {delay} s in the AccessManager besides")
    wrong += roles.ways_around(ledger.deployment.contracts)
    wrong += roles.slow
    if wrong:
        raise HandOverRefused(f"{ledger.id} is not handed over: {'; '.join(wrong)}.")


async def _check_timelock(
    timelock: Timelock,
    delay: int,
    proposers: Sequence[bytes],
    executors: Sequence[bytes],
    cancellers: Sequence[bytes],
) -> None:
    holders = await timelock.holders()
    wanted = {
        OWNER: {timelock.address},
        PROPOSER: {*proposers},
        EXECUTOR: {*executors},
        CANCELLER: {*proposers, *cancellers},
    }
    if await timelock.delay() != delay or any(
        set(holders.get(role, ())) != who for role, who in wanted.items()
    ):
        raise HandOverRefused(
            f"The timelock 0x{timelock.address.hex()} has other roles or another delay than asked "
            "for."
        )


async def _timelock_of(ledger: EvmLedger, roles: Roles) -> Timelock | None:
    """Find the administrator that is a timelock: a contract that tells a least delay."""
    admins = roles.of(ADMIN_ROLE)
    for who, contract in zip(admins, await ledger.chain.has_code(admins), strict=True):
        timelock = Timelock(ledger, who)
        if not contract:
            continue
        try:
            await timelock.delay()
        except (TransactionReverted, LedgerAnswerInvalid):
            continue
        return timelock
    return None


def _admins_around(roles: Roles, timelock: Timelock | None) -> list[str]:
    return [
        f"0x{who.hex()} administers without delay"
        for who in roles.of(ADMIN_ROLE)
        if timelock is None or who != timelock.address
    ]


def _givers_around(timelock: Timelock, holders: Mapping[bytes, Sequence[bytes]]) -> list[str]:
    return [
        f"0x{who.hex()} gives the timelock's roles"
        for who in holders[OWNER]
        if who != timelock.address
    ]
