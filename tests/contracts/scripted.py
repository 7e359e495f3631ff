"""Applications that always answer the same, in both worlds: on an EVM as a few bytes of code."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode

from caimi.contracts.applications import PacketContext
from caimi.contracts.execution import Execution, refuse
from caimi.contracts.identifiers import Account
from caimi.hashing import keccak256
from caimi.ibc.commitments import UNIVERSAL_ERROR_ACKNOWLEDGEMENT


@dataclass(frozen=True)
class Answer:
    """What an application does: it answers, or refuses for a reason without arguments."""

    port: str
    acknowledgement: bytes = b""
    reason: str = ""

    @property
    def creation(self) -> bytes:
        """The code that creates it: it returns, or reverts with, bytes that lie behind its code."""
        said = encode(("bytes",), (self.acknowledgement,))
        if self.reason:
            said = keccak256(f"{self.reason}()".encode())[:4]
        size = len(said).to_bytes(2)
        # CODECOPY(0, 12, size), then RETURN(0, size) or REVERT(0, size).
        end = b"\xfd" if self.reason else b"\xf3"
        code = b"\x61" + size + b"\x60\x0c\x5f\x39\x61" + size + b"\x5f" + end + said
        return b"\x61" + len(code).to_bytes(2) + bytes.fromhex("80600a3d393df3") + code


@dataclass(frozen=True)
class Scripted:
    """The same application in Python."""

    account: Account
    answer: Answer

    def receive(self, call: Execution, context: PacketContext) -> bytes:
        call.state.put(b"asked/" + self.answer.port.encode(), b"1")
        if self.answer.reason:
            refuse(self.answer.reason)
        return self.answer.acknowledgement

    def acknowledge(self, call: Execution, context: PacketContext, acknowledgement: bytes) -> None:
        self.receive(call, context)

    def time_out(self, call: Execution, context: PacketContext) -> None:
        self.receive(call, context)


ANSWERS = (
    Answer("ok", b"fine"),
    Answer("longest", b"x" * 8_192),
    Answer("later"),
    Answer("too-long", b"x" * 8_193),
    Answer("error", UNIVERSAL_ERROR_ACKNOWLEDGEMENT),
    Answer("not-yet", reason="NotYet"),
    Answer("refusing", reason="EmptyBatch"),
)
