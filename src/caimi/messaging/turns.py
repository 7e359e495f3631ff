"""Who of several relayers goes first: advice, so that they do not pay twice for one packet.

Nothing enforces it. Relayers that know of each other list one another's accounts; time is cut into
slots, and in each slot every packet is one relayer's. Who is dead loses its packets to the next
with the next slot, and who knows of no list carries all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from caimi.errors.messaging import InvalidTurns
from caimi.ledgers.port import Account

MAX_RELAYERS: Final = 256


class RelayerSchedule:
    """The turns of the account `me` among `accounts`, for the packets that their one ledger sends.

    It is one of them, and their order is no matter.

    A slot lasts `slot_seconds`. In its first `guard_seconds` nobody takes over a packet that was
    another's before: that one's transaction may be on its way. So a packet waits for a dead
    relayer a slot and a guard at most, and for n dead ones n slots and a guard. Clocks that differ
    by less than the guard do no harm. `clock` gives Unix seconds.

    Construction raises `InvalidTurns` when `me` is not listed, somebody is twice, or the times make
    no sense.
    """

    def __init__(
        self,
        me: Account,
        accounts: Iterable[Account],
        *,
        slot_seconds: float = 60.0,
        guard_seconds: float = 20.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        listed = sorted(accounts, key=lambda each: each.native)
        if len(set(listed)) != len(listed) or not 0 < len(listed) <= MAX_RELAYERS:
            raise InvalidTurns(
                f"{len(listed)} relayers are listed, one of them twice, or too many."
            )
        if me not in listed:
            raise InvalidTurns(f"This relayer's account {me} is not among those listed.")
        if not 0 <= guard_seconds < slot_seconds:
            raise InvalidTurns(
                f"A guard of {guard_seconds:g} s does not fit a slot of {slot_seconds:g} s."
            )
        self._place = listed.index(me)
        self._count = len(listed)
        self._slot = slot_seconds
        self._guard = guard_seconds
        self._clock = clock

    def mine(self, name: bytes, age: float) -> bool:
        """Whether to carry a packet now, known by a digest and carriable for `age` seconds."""
        now = self._clock()
        slot, into = divmod(now, self._slot)
        if (int.from_bytes(name) + int(slot)) % self._count != self._place:
            return False
        # In a list of one, or before this slot, nobody else can have begun.
        return self._count == 1 or into >= self._guard or age <= into
