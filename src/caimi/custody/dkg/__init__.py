"""Distributed key generation: custodians make a group key that none of them ever holds."""

from caimi.custody.dkg.ceremony import Ceremony, Enrolment, Round, SignedMessage
from caimi.custody.dkg.in_process import generate_in_process
from caimi.custody.dkg.participant import Participant

__all__ = [
    "Ceremony",
    "Enrolment",
    "Participant",
    "Round",
    "SignedMessage",
    "generate_in_process",
]
