"""What shows anybody that a custodian signed a share whose proof does not hold.

It names nobody but the custodian: of the request there is the digest, and the sealed key, which the
manifest of the version has as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from caimi.custody.answer import ANSWER_BYTES, Asked, SignedShare
from caimi.custody.encoding import Fields, hex_text
from caimi.custody.group import POINT_BYTES, Point
from caimi.custody.request import MAX_CIPHERTEXT_BYTES, REQUEST_DIGEST_BYTES
from caimi.custody.tdh2 import Ciphertext, is_proved
from caimi.errors.custody import UnsignedAnswer

FORMAT: Final = "caimi/wrong-share/1"
MAX_EVIDENCE_BYTES: Final = 16_384
_FIELDS: Final = frozenset({"format", "request", "ciphertext", "verification_key", "answer"})


@dataclass(frozen=True, slots=True)
class WrongShareEvidence:
    """A custodian's signed share, and what it was asked."""

    asked: Asked
    answer: SignedShare

    def shows(self, account: bytes) -> bool:
        """Tell whether the key of `account` signed this share, and its proof does not hold."""
        try:
            self.answer.check_signed(self.asked, account)
        except UnsignedAnswer:
            return False
        return not is_proved(self.asked.ciphertext, self.answer.share, self.asked.verification_key)

    def to_json(self) -> str:
        """Write the one JSON form; bytes are ``0x`` hexadecimal."""
        return json.dumps(
            {
                "format": FORMAT,
                "request": hex_text(self.asked.request),
                "ciphertext": hex_text(self.asked.ciphertext.to_bytes()),
                "verification_key": hex_text(self.asked.verification_key.to_bytes()),
                "answer": hex_text(self.answer.to_bytes()),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> WrongShareEvidence:
        """Parse strictly, or raise `MalformedEncoding`; `shows` says what it is worth."""
        fields = Fields(text, _FIELDS, "the evidence", MAX_EVIDENCE_BYTES)
        fields.expect("format", FORMAT)
        asked = Asked(
            fields.data("request", REQUEST_DIGEST_BYTES, REQUEST_DIGEST_BYTES),
            Ciphertext.from_bytes(fields.data("ciphertext", 1, MAX_CIPHERTEXT_BYTES)),
            Point.from_bytes(fields.data("verification_key", POINT_BYTES, POINT_BYTES)),
        )
        answer = fields.data("answer", ANSWER_BYTES, ANSWER_BYTES)
        return cls(asked, SignedShare.from_bytes(answer))
