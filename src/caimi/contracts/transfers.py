"""What one packet of the port "model" says, as abi.encode(uint8 tag = 1, Transfer).

`model.publisher`, `sender` and `recipient` are accounts as the ledgers write them that they are of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from caimi.contracts.execution import refuse
from caimi.contracts.visiting import VISITING_TYPE, VisitingModel

_TAG: Final = 1
_LARGE: Final = 4096
"""What has more bytes is not kept."""
_TYPES: Final = ("uint8", f"({VISITING_TYPE},bytes,bytes,uint64,uint64)")


@dataclass(frozen=True, slots=True)
class ModelTransfer:
    """A model on its way. `model.path` is that of its token on the sending ledger.

    It was sent in block `sent_at` there, and `min_depth` blocks must have followed before the other
    ledger may take it.
    """

    model: VisitingModel
    sender: bytes
    recipient: bytes
    sent_at: int
    min_depth: int

    def encode(self) -> bytes:
        """Give the payload's value."""
        transfer = (self.model.to_abi(), self.sender, self.recipient, self.sent_at, self.min_depth)
        return encode(_TYPES, (_TAG, transfer))

    @classmethod
    def decode(cls, value: bytes) -> ModelTransfer:
        """Read a payload's value, which has one encoding; refuses ``InvalidTransfer``.

        Whoever carries a packet looks at it again and again: the newest are kept for a while.
        """
        return (_read if len(value) > _LARGE else _read_again)(value)


def _read(value: bytes) -> ModelTransfer:
    try:
        tag, (model, *rest) = decode(_TYPES, value)
        transfer = ModelTransfer(VisitingModel.from_abi(model), *rest)
        strict = tag == _TAG and transfer.encode() == value
    except (DecodingError, OverflowError, ValueError):
        strict = False
    if not strict:
        refuse("InvalidTransfer")
    return transfer


_read_again = lru_cache(maxsize=1024)(_read)
