"""What a coordinator orders a node to do in a key generation: signed, for one node, once.

EIP-712 typed data by the account that the operators named as coordinator in each node's settings.
The number only ever grows at a node, so an order counts once and no older one counts after it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from caimi.custody.encoding import Fields, hex_text
from caimi.custody.group import POINT_BYTES
from caimi.errors.custody import MalformedEncoding, OrderRefused
from caimi.hashing import keccak256
from caimi.ledgers.port import Signer
from caimi.signatures import SIGNATURE_BYTES, MalformedSignature, recover_account

FRESH_MILLISECONDS: Final = 120_000
MAX_ORDER_BYTES: Final = 4 << 20
_SESSION_BYTES: Final = 32
_MAX_NUMBER: Final = (1 << 53) - 1
_TYPE: Final = keccak256(
    b"KeyGenerationOrder(bytes32 session,string step,bytes node,uint64 number,string payload)"
)
_PREFIX: Final = b"\x19\x01" + keccak256(
    keccak256(b"EIP712Domain(string name,string version)") + keccak256(b"CAIMI") + keccak256(b"1")
)


class Step(StrEnum):
    """What a node can be ordered to do."""

    STATUS = "status"
    ENROL = "enrol"
    START = "start"
    ADVANCE = "advance"
    FINISH = "finish"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Order:
    """One order; `node` is the identity key of the node it is for, `payload` what the step takes.

    `number` is the coordinator's time in milliseconds, greater than that of its order before.
    """

    session: bytes
    step: Step
    node: bytes
    number: int
    payload: str = field(repr=False)
    signature: bytes = field(default=b"", repr=False)

    @property
    def digest(self) -> bytes:
        """The 32 bytes that are signed: the EIP-712 digest, domain name "CAIMI", version "1"."""
        return keccak256(
            _PREFIX
            + keccak256(
                _TYPE
                + self.session
                + keccak256(self.step.encode())
                + keccak256(self.node)
                + self.number.to_bytes(32)
                + keccak256(self.payload.encode())
            )
        )

    def sign(self, signer: Signer) -> Order:
        """Sign with the coordinator's account key."""
        signature = signer.sign_digest(self.digest)
        return Order(self.session, self.step, self.node, self.number, self.payload, signature)

    def check(self, coordinator: bytes, node: bytes, now: float, last: int) -> None:
        """Check that `coordinator` gives this order, to this `node`, now, after order `last`.

        Raises:
            OrderRefused: with what is wrong.
        """
        try:
            account = recover_account(self.digest, self.signature)
        except MalformedSignature as error:
            raise OrderRefused(str(error)) from error
        if account != coordinator:
            raise OrderRefused(
                f"0x{account.hex()} signed the order, not the coordinator 0x{coordinator.hex()}."
            )
        if self.node != node:
            raise OrderRefused("The order is for another node.")
        if abs(now * 1000 - self.number) > FRESH_MILLISECONDS:
            raise OrderRefused("The order is not of the last two minutes by this node's clock.")
        if self.number <= last:
            raise OrderRefused(f"The order's number {self.number} is not above {last}.")

    def to_json(self) -> str:
        """Write the one JSON form."""
        return json.dumps(
            {
                "session": hex_text(self.session),
                "step": self.step.value,
                "node": hex_text(self.node),
                "number": self.number,
                "payload": self.payload,
                "signature": hex_text(self.signature),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Order:
        """Parse strictly, or raise `MalformedEncoding`; `check` says whether it counts."""
        names = frozenset({"session", "step", "node", "number", "payload", "signature"})
        fields = Fields(text, names, "the order", MAX_ORDER_BYTES)
        step = fields.text("step", 16)
        if step not in {each.value for each in Step}:
            raise MalformedEncoding("The order: step is none of a key generation.")
        return cls(
            fields.data("session", _SESSION_BYTES, _SESSION_BYTES),
            Step(step),
            fields.data("node", POINT_BYTES, POINT_BYTES),
            fields.number("number", 1, _MAX_NUMBER),
            fields.text("payload", MAX_ORDER_BYTES),
            fields.data("signature", SIGNATURE_BYTES, SIGNATURE_BYTES),
        )
