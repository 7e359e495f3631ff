"""The ids of models and of the tokens that stand for them.

A model's id is ``keccak256(abi.encode(uint256 chain, address registry, address publisher, string
name))``. On an EVM ledger these are its chain number and addresses. Payloads have 20 bytes for an
account, whatever the ledger: on the others, `chain` is keccak256 of the ledger's ERC-7930 bytes,
and an account stands there as the last 20 bytes of keccak256 of its ERC-7930 address. So no account
can be chosen to pass for another's, and there is one formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eth_abi.abi import encode

from caimi.contracts.bounds import utf8
from caimi.contracts.identifiers import (
    Account,
    InteroperableAccount,
    InteroperableLedger,
    ModelId,
    TokenId,
    VersionId,
    WireAddress,
)
from caimi.contracts.interoperable import account_on, evm_number, is_ledger, ledger_of, native_of
from caimi.hashing import keccak256

MAX_PATH: Final = 3
"""How many ledgers may lie between a model's home and where it is: so at most four hops."""
_PAD: Final = bytes(12)

Path = tuple[InteroperableLedger, ...]
"""The ledgers that a model came over, in the order of the voyage, neither end among them."""


def wire_address(ledger: InteroperableLedger, account: Account) -> WireAddress:
    """Give what stands for a ledger's account in payloads, 20 bytes."""
    if evm_number(ledger) is not None:
        return WireAddress(account)
    return WireAddress(keccak256(account_on(ledger, account))[12:])


def model_id(home: InteroperableAccount, publisher: WireAddress, name: str) -> ModelId:
    """Give the id of the model `name` that `publisher` registered in the registry `home`."""
    ledger = ledger_of(home)
    assert ledger is not None, "A home is the one encoding of an account."
    number = evm_number(ledger)
    chain = keccak256(ledger) if number is None else number.to_bytes(32)
    text = utf8(name, "name")
    return ModelId(
        keccak256(
            chain
            + _PAD
            + wire_address(ledger, native_of(home))
            + _PAD
            + publisher
            + (128).to_bytes(32)
            + len(text).to_bytes(32)
            + text
            + bytes(-len(text) % 32)
        )
    )


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
