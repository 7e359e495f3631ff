"""The ids of models and of the tokens that stand for them.

A model's id is ``keccak256(abi.encode(bytes home, bytes publisher, string name))``: its home
registry as an ERC-7930 address, and the account that published it first, as the home ledger itself
writes it. There is one formula for ledgers of all families.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eth_abi.abi import encode

from caimi.contracts.bounds import utf8
from caimi.contracts.encoding import counted
from caimi.contracts.identifiers import (
    Account,
    InteroperableAccount,
    InteroperableLedger,
    ModelId,
    TokenId,
    VersionId,
)
from caimi.contracts.interoperable import EVM_ACCOUNT_LENGTH, evm_number, is_ledger
from caimi.hashing import keccak256

MAX_PATH: Final = 3
"""How many ledgers may lie between a model's home and where it is: so at most four hops."""
MAX_PUBLISHER_LENGTH: Final = 64
"""Of a publisher on a ledger that is no EVM ledger."""

Path = tuple[InteroperableLedger, ...]
"""The ledgers that a model came over, in the order of the voyage, neither end among them."""


def is_publisher(ledger: InteroperableLedger, publisher: bytes) -> bool:
    """Whether `publisher` can be an account of a ledger: as `MAX_PUBLISHER_LENGTH` says."""
    if evm_number(ledger) is not None:
        return len(publisher) == EVM_ACCOUNT_LENGTH and any(publisher)
    return 0 < len(publisher) <= MAX_PUBLISHER_LENGTH


def model_id(home: InteroperableAccount, publisher: Account, name: str) -> ModelId:
    """Give the id of the model `name` that `publisher` registered in the registry `home`."""
    parts = (counted(home), counted(publisher), counted(utf8(name, "name")))
    places = (96, 96 + len(parts[0]), 96 + len(parts[0]) + len(parts[1]))
    return ModelId(keccak256(b"".join(place.to_bytes(32) for place in places) + b"".join(parts)))


def version_id(version: str) -> VersionId:
    """Give the id of a version."""
    return VersionId(keccak256(utf8(version, "version")))


def token_id(model: ModelId, path: Path) -> TokenId:
    """Give the token of a model that came over `path`: the model's own id after a direct voyage."""
    if not path:
        return TokenId(model)
    return TokenId(keccak256(encode(("bytes32", "bytes[]"), (model, path))))


def is_voyage(home: bytes, path: Sequence[bytes], ledger: bytes) -> bool:
    """Whether a model of `home` may come over `path` to `ledger`.

    Over few enough, and to none of them twice.
    """
    stops = [home, *path, ledger]
    return (
        len(path) <= MAX_PATH
        and len(set(stops)) == len(stops)
        and all(is_ledger(hop) for hop in path)
    )
