"""The end of a key generation: every member says that it came to the same key by the same way."""

from __future__ import annotations

from collections.abc import Iterable

from caimi.custody.dkg.ceremony import Ceremony, Round, SignedMessage
from caimi.custody.dkg.hearing import gather
from caimi.custody.dkg.messages import Confirmation
from caimi.errors.custody import Equivocation, MalformedEncoding, NotConfirmed


def check_confirmed(
    ceremony: Ceremony, own: SignedMessage, messages: Iterable[SignedMessage]
) -> None:
    """Check that all members confirmed what `own` confirms: the key, and all that was heard.

    Raises:
        ForgedMessage: a message is not signed for this ceremony and round.
        NotConfirmed: a member's confirmation is missing or malformed.
        Equivocation: a member came to another key, heard something else, or said both.
    """
    bodies = gather(ceremony, Round.CONFIRMATION, messages, own)
    missing: list[int] = []
    differing: list[int] = []
    for member in range(1, ceremony.total + 1):
        if bodies.get(member) == own.body:
            continue
        (differing if _is_confirmation(bodies.get(member)) else missing).append(member)
    if differing:
        raise Equivocation(
            f"Members {differing} confirm another key than member {own.sender}, or heard "
            "something else on the way to it."
        )
    if missing:
        raise NotConfirmed(f"Members {missing} have not confirmed the key.")


def _is_confirmation(body: bytes | None) -> bool:
    try:
        return body is not None and Confirmation.from_bytes(body) is not None
    except MalformedEncoding:
        return False
