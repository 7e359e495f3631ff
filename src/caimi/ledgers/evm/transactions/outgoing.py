"""Making and reading signed EIP-1559 transactions (type 2, EIP-2718 envelope)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import rlp
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from caimi.errors.ledgers import CallInvalid
from caimi.hashing import keccak256
from caimi.ledgers.evm.abi.calls import EvmCall, nothing
from caimi.ledgers.evm.transactions.fees import Fees
from caimi.ledgers.port import LedgerId, SignedCall, Signer

_TYPE = b"\x02"
_FIELDS = 12
_ACCESS_LIST = 8


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed transaction and what was signed, so that it can be watched and replaced."""

    signed: SignedCall
    nonce: int
    fees: Fees
    gas: int
    call: EvmCall[object]

    @property
    def tx(self) -> str:
        """Its hash, 0x hex."""
        return self.signed.tx


def sign_call(
    call: EvmCall[object], signer: Signer, *, number: int, nonce: int, gas: int, fees: Fees
) -> Attempt:
    """Sign a call for chain `number`."""
    fields: list[object] = [
        number,
        nonce,
        fees.tip,
        fees.most,
        gas,
        call.target,
        call.value,
        call.data,
        [],
    ]
    signature = signer.sign_digest(keccak256(_TYPE + rlp.encode(fields)))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    raw = _TYPE + rlp.encode([*fields, signature[64] - 27, r, s])
    signed = SignedCall(call.ledger, call.what, f"0x{keccak256(raw).hex()}", raw)
    return Attempt(signed, nonce, fees, gas, call)


async def sign_apart(
    call: EvmCall[object], signer: Signer, *, number: int, nonce: int, gas: int, fees: Fees
) -> Attempt:
    """Sign a call as `sign_call` does, in a thread, since the key may be in another machine."""
    return await asyncio.to_thread(
        sign_call, call, signer, number=number, nonce=nonce, gas=gas, fees=fees
    )


def read_signed(signed: SignedCall, number: int) -> Attempt:
    """Take a recorded transaction apart again.

    Raises:
        CallInvalid: it is damaged, or for another chain.
    """
    try:
        fields = rlp.decode(signed.raw[1:], strict=True)
    except (RLPException, RecursionError) as error:
        raise CallInvalid(f"The recorded transaction {signed.tx} is damaged.") from error
    if (
        signed.raw[:1] != _TYPE
        or not isinstance(fields, list)
        or len(fields) != _FIELDS
        or not all(isinstance(field, bytes) for field in fields[:_ACCESS_LIST])
        or f"0x{keccak256(signed.raw).hex()}" != signed.tx
    ):
        raise CallInvalid(f"The recorded transaction {signed.tx} is damaged.")
    chain, nonce, tip, most, gas, _, value = (
        int.from_bytes(field, "big") if index != 5 else 0 for index, field in enumerate(fields[:7])
    )
    if chain != number:
        raise CallInvalid(f"The recorded transaction {signed.tx} is for chain {chain}.")
    call = EvmCall(LedgerId(signed.ledger), signed.what, fields[5], fields[7], value, nothing)
    return Attempt(signed, nonce, Fees(most, tip), gas, call)


def sender_of(signed: SignedCall) -> bytes:
    """Recover the account that signed a transaction.

    Raises:
        CallInvalid: it is damaged.
    """
    from eth_account import Account  # noqa: PLC0415 - loads slowly

    try:
        return bytes.fromhex(Account.recover_transaction(signed.raw)[2:])
    except (ValueError, TypeError, BadSignature, RLPException, ValidationError) as error:
        raise CallInvalid(f"The transaction {signed.tx} is damaged.") from error
