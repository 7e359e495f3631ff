"""ECDSA signatures on secp256k1 in the one form that is taken here: r || s || v, low s, v 27 or 28.

Low s as in EIP-2: of the two signatures that are equally good only one counts, so that nobody can
make a second from the first. Key services (KMS, HSM) answer in other forms; `completed` gives them
this one.
"""

from __future__ import annotations

from typing import Final

from coincurve import PublicKey
from eth_utils.address import to_checksum_address

from caimi.hashing import keccak256

SIGNATURE_BYTES: Final = 65
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_ORDER: Final = ORDER // 2


class MalformedSignature(ValueError):
    """The bytes are not a signature in that form, or are of no key."""


def account_of(key: PublicKey) -> bytes:
    """Give a key's account, 20 bytes."""
    return keccak256(key.format(compressed=False)[1:])[12:]


def account_text(account: bytes) -> str:
    """Write a key's account as people read it, with its EIP-55 checksum."""
    return to_checksum_address(account)


def recover_account(digest: bytes, signature: bytes) -> bytes:
    """Recover the account that signed a 32-byte digest.

    Raises:
        MalformedSignature: it has another form than the one, or is of no key.
    """
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (27, 28):
        raise MalformedSignature("A signature is 65 bytes: r, s, and v 27 or 28.")
    if int.from_bytes(signature[32:64]) > HALF_ORDER:
        raise MalformedSignature("The signature's s is in the upper half of the order.")
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + bytes([signature[64] - 27]), digest, hasher=None
        )
    except ValueError as error:
        raise MalformedSignature("The signature is of no key.") from error
    return account_of(key)


def completed(digest: bytes, answer: bytes, account: bytes) -> bytes:
    """Give `account`'s signature of `digest` from what a key service answered.

    Taken are DER (X9.62), r || s, and r || s || v. A high s is turned into the low one, v is found
    by recovery.

    Raises:
        MalformedSignature: it is none of these, or `account` did not sign `digest`.
    """
    r, s = _scalars(answer)
    s = min(s, ORDER - s)
    body = r.to_bytes(32) + s.to_bytes(32)
    for v in (27, 28):
        signature = body + bytes([v])
        try:
            if recover_account(digest, signature) == account:
                return signature
        except MalformedSignature:
            continue
    raise MalformedSignature(f"0x{account.hex()} did not make this signature of this digest.")


def _scalars(answer: bytes) -> tuple[int, int]:
    if len(answer) in (64, 65):
        r, s = int.from_bytes(answer[:32]), int.from_bytes(answer[32:64])
    else:
        r, s = _from_der(answer)
    if not (0 < r < ORDER and 0 < s < ORDER):
        raise MalformedSignature("r and s are from 1 to the order.")
    return r, s


def _from_der(answer: bytes) -> tuple[int, int]:
    """Read SEQUENCE { INTEGER r, INTEGER s } in DER (ITU-T X.690), strictly."""
    # Two integers of at most 33 bytes fit into a length of one byte.
    if len(answer) < 8 or answer[0] != 0x30 or answer[1] != len(answer) - 2:
        raise MalformedSignature(f"{len(answer)} bytes are neither DER nor r and s.")
    r, rest = _integer(answer[2:])
    s, rest = _integer(rest)
    if rest:
        raise MalformedSignature("Something follows the signature.")
    return r, s


def _integer(data: bytes) -> tuple[int, bytes]:
    if len(data) < 3 or data[0] != 0x02 or not 0 < data[1] <= min(33, len(data) - 2):
        raise MalformedSignature("A part of the signature is no DER integer.")
    value, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
    if value[0] & 0x80 or (len(value) > 1 and value[0] == 0 and not value[1] & 0x80):
        raise MalformedSignature("A part of the signature is no positive integer in DER.")
    return int.from_bytes(value), rest
