"""Whether all members of a committee to be are as they must be before they make a key.

Everything is looked at, of all members at once, so that each operator hears of their own trouble.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from caimi import __version__
from caimi.errors.base import CaimiError
from caimi.errors.certificates import OwnCertificateRefused, PeerNotTrusted
from caimi.errors.node import CommitteeNotReady
from caimi.node.description import NodeDescription
from caimi.node.members import HttpMember
from caimi.services.endpoint import Endpoint

MAX_APART_MILLISECONDS: Final = 30_000
"""Orders count for two minutes by a node's own clock: a quarter of that leaves room to work."""


@dataclass(frozen=True, slots=True)
class LookedAtMember:
    """One member, as it was found; `trouble` says what is wrong, and what to do."""

    member: NodeDescription
    trouble: tuple[str, ...]
    apart_milliseconds: int | None = None
    holds_share: bool | None = None


@dataclass(frozen=True, slots=True)
class ReachedMember:
    """A member, the way to it, and it as the coordinator's `Member`."""

    description: NodeDescription
    endpoint: Endpoint
    ordered: HttpMember


async def look_at(
    members: Sequence[ReachedMember], clock: Callable[[], float] = time.time
) -> list[LookedAtMember]:
    """Look at all members, in their order."""
    looking = (_look_at(each, index, clock) for index, each in enumerate(members, start=1))
    return list(await asyncio.gather(*looking))


def check_ready(found: Sequence[LookedAtMember]) -> None:
    """Refuse to begin while anything is wrong with anybody.

    Raises:
        CommitteeNotReady: it names each member and what is wrong with it.
    """
    troubled = [f"{each.member.said}: {' '.join(each.trouble)}" for each in found if each.trouble]
    if troubled:
        raise CommitteeNotReady("\n".join(troubled))


async def _look_at(
    reached: ReachedMember, index: int, clock: Callable[[], float]
) -> LookedAtMember:
    member, trouble = reached.description, []
    try:
        began = clock()
        told = await reached.endpoint.get("/version")
        ended = clock()
        identity = await reached.endpoint.get("/v1/identity")
    except CaimiError as error:
        trusting = isinstance(error, PeerNotTrusted | OwnCertificateRefused)
        mend = error.next_step if trusting else "Have it started, and its port opened."
        return LookedAtMember(member, (f"{error.what} {mend}",))
    apart = None
    if type(told.get("time")) is int:
        apart = round(int(str(told["time"])) - (began + ended) * 500)
        if abs(apart) > MAX_APART_MILLISECONDS + (ended - began) * 500:
            side = "ahead of" if apart > 0 else "behind"
            trouble.append(
                f"Its clock is {abs(apart) / 1000:.0f} seconds {side} this machine's. "
                "Set both by NTP."
            )
    else:
        trouble.append("It does not tell its time.")
    version = str(told.get("version"))[:40]
    if version != __version__:
        trouble.append(f"It runs CAIMI {version}, and this is {__version__}. Install the same.")
    trouble += _mistaken(identity, member, index)
    holds = None
    if not trouble:
        try:
            holds = (await reached.ordered.status()).holds_share
        except CaimiError as error:
            trouble.append(f"It takes no orders: {error.what} {error.next_step}")
    return LookedAtMember(member, tuple(trouble), apart, holds)


def _mistaken(identity: dict[str, object], member: NodeDescription, index: int) -> list[str]:
    """Say in what a node is another than the one that was described."""
    key = f"0x{member.public_key.hex()}"
    if identity.get("key") != key:
        found = str(identity.get("key"))[:80]
        return [f"It has the key {found}, not {key} of its description. Ask its operator for it."]
    if identity.get("index") != index:
        found = str(identity.get("index"))[:10]
        said = f"It takes itself for member {found}, and is {index} here: "
        return [said + "all must name the same members to `caimi node join`."]
    return []
