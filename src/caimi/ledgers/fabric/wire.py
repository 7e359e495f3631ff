"""Reading protobuf messages of others: known fields only, and an error of ours where it is none."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from caimi.errors.fabric import FabricError

Message = TypeVar("Message", bound=Any)

NOT_NOW: Final = 503
"""The status of a chaincode's answer to what it takes on later, and refuses for nothing in it."""


def read_message(
    kind: type[Message], encoded: bytes, error: type[FabricError], what: str = ""
) -> Message:
    """Read a message of a kind; what is not that is `error`.

    Raises:
        FabricError: as `error`; the bytes are no such message.
    """
    try:
        found: Message = kind.FromString(encoded)
    except (DecodeError, ValueError):
        name = what or kind.DESCRIPTOR.name
        raise error(f"{len(encoded)} bytes that should be a {name} are none.") from None
    return found
