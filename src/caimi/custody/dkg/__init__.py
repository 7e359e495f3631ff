"""Distributed key generation: custodians make a group key that none of them ever holds."""

from caimi.custody.dkg.ceremony import Broadcast, Ceremony, Enrolment, Round, SignedMessage
from caimi.custody.dkg.confirming import check_confirmed
from caimi.custody.dkg.in_process import generate_in_process
from caimi.custody.dkg.order import Order, Step
from caimi.custody.dkg.participant import Participant

__all__ = [
    "Broadcast",
    "Ceremony",
    "Enrolment",
    "Order",
    "Participant",
    "Round",
    "SignedMessage",
    "Step",
    "check_confirmed",
    "generate_in_process",
]
