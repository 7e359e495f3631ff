"""A custodian's answer to a share request on its way: the sealed share, and the signed release."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from caimi.custody.answer import ANSWER_BYTES
from caimi.custody.delivery import SEALED_OVERHEAD
from caimi.custody.encoding import Fields, hex_text
from caimi.custody.key_release import MAX_RELEASE_BYTES, SignedKeyRelease
from caimi.custody.keys import MAX_CUSTODIANS

FORMAT: Final = "caimi/share-response/2"
MAX_RESPONSE_BYTES: Final = 8_192
SEALED_BYTES: Final = SEALED_OVERHEAD + ANSWER_BYTES


@dataclass(frozen=True, slots=True)
class ShareResponse:
    """Custodian `index`'s answer: its `SignedShare`, sealed to the requester, and its release."""

    index: int
    sealed: bytes = field(repr=False)
    release: SignedKeyRelease

    def to_json(self) -> str:
        """Write the one JSON form."""
        return json.dumps(
            {
                "format": FORMAT,
                "index": self.index,
                "sealed": hex_text(self.sealed),
                "release": self.release.to_json(),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> ShareResponse:
        """Parse strictly, or raise `MalformedEncoding`; no signature is checked here."""
        names = frozenset({"format", "index", "sealed", "release"})
        fields = Fields(text, names, "the share response", MAX_RESPONSE_BYTES)
        fields.expect("format", FORMAT)
        return cls(
            fields.number("index", 1, MAX_CUSTODIANS),
            fields.data("sealed", SEALED_BYTES, SEALED_BYTES),
            SignedKeyRelease.from_json(fields.text("release", MAX_RELEASE_BYTES)),
        )
