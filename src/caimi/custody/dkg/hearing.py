"""What a round's messages amount to: who is in step, who is not, who told different things."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from caimi.custody.dkg.ceremony import Ceremony, Round, SignedMessage
from caimi.custody.dkg.messages import SILENT
from caimi.errors.custody import Equivocation, ForgedMessage, MalformedEncoding


class Echo(Protocol):
    """A body that repeats what its sender heard."""

    @property
    def heard(self) -> tuple[bytes, ...]:
        """Digests of the round before, by member."""


EchoT = TypeVar("EchoT", bound=Echo)


def gather(
    ceremony: Ceremony, place: Round, messages: Iterable[SignedMessage], own: SignedMessage
) -> dict[int, bytes]:
    """Give each member's body of round `place`, `own` among them, after checking every message.

    Raises:
        ForgedMessage: a message is not signed for this ceremony and round.
        Equivocation: a member signed two different bodies for this round.
    """
    bodies = {own.sender: own.body}
    for message in messages:
        message.verify(ceremony)
        if message.round is not place:
            raise ForgedMessage(
                f"A message of round {message.round.name} was given for round {place.name}."
            )
        if bodies.setdefault(message.sender, message.body) != message.body:
            raise Equivocation(
                f"Member {message.sender} signed two different messages in round {place.name}."
            )
    return dict(sorted(bodies.items()))


def digests(ceremony: Ceremony, bodies: dict[int, bytes]) -> tuple[bytes, ...]:
    """Give what the next message must repeat: each member's digest, zeros for the silent."""
    return tuple(
        hashlib.sha256(bodies[member]).digest() if member in bodies else SILENT
        for member in range(1, ceremony.total + 1)
    )


def in_step(
    ceremony: Ceremony,
    bodies: dict[int, bytes],
    parse: Callable[[bytes], EchoT],
    heard: tuple[bytes, ...],
) -> tuple[dict[int, EchoT], dict[int, str]]:
    """Parse bodies and keep those whose senders `heard` the same; also give the others' faults.

    Raises:
        Equivocation: fewer than the quorum are in step. It names the members whose messages others
            heard differently and those that were withheld from somebody.
    """
    kept: dict[int, EchoT] = {}
    faults: dict[int, str] = {}
    differing: set[int] = set()
    withheld: set[int] = set()
    for member in range(1, ceremony.total + 1):
        if member not in bodies:
            faults[member] = "was silent"
            continue
        try:
            body = parse(bodies[member])
        except MalformedEncoding as error:
            faults[member] = f"sent a malformed message: {error.what}"
            continue
        if body.heard == heard:
            kept[member] = body
            continue
        faults[member] = "repeats other messages than the quorum heard"
        for sender, (theirs, ours) in enumerate(zip(body.heard, heard, strict=False), start=1):
            if theirs != ours:
                (withheld if SILENT in (theirs, ours) else differing).add(sender)
    if len(kept) < ceremony.quorum:
        raise Equivocation(
            f"{len(kept)} members are in step where {ceremony.quorum} must be; told different "
            f"things by {sorted(differing)}; messages withheld of {sorted(withheld)}; "
            f"out of step: {dict(sorted(faults.items()))}."
        )
    return kept, faults
