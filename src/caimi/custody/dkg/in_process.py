"""The whole key generation in one process, for embedded networks where all members live in one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from coincurve import PrivateKey

from caimi.custody.delivery import RecipientKey
from caimi.custody.dkg.ceremony import SESSION_BYTES, Ceremony, Enrolment, Round
from caimi.custody.dkg.participant import Participant
from caimi.custody.keys import KeyShare


def generate_in_process(identities: Sequence[PrivateKey], threshold: int) -> tuple[KeyShare, ...]:
    """Run every round among members with these identity keys, and give their key shares in order.

    Blocking: some 30 ms for five members. Raises `CeremonyMisconfigured` for a bad threshold.
    """
    session = secrets.token_bytes(SESSION_BYTES)
    transports = [RecipientKey.generate() for _ in identities]
    enrolments = tuple(
        Enrolment.sign(session, identity, transport.public_bytes)
        for identity, transport in zip(identities, transports, strict=True)
    )
    ceremony = Ceremony(session, threshold, enrolments)
    participants = [
        Participant(ceremony, identity, transport)
        for identity, transport in zip(identities, transports, strict=True)
    ]
    messages = [participant.start() for participant in participants]
    while messages[0].round is not Round.CONFIRMATION:
        messages = [participant.advance(messages) for participant in participants]
    return tuple(participant.finish(messages) for participant in participants)
