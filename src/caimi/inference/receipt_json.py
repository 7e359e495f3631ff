"""Receipts as text: one canonical JSON form each, of this version and of the first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from caimi.errors.inference import ReceiptMalformed
from caimi.inference.first_receipts import SIGNATURE_BYTES, FirstReceipt, first_worker
from caimi.inference.receipt import FORMAT, Receipt, SignedReceipt
from caimi.json_text import read_json

MAX_RECEIPT_BYTES: Final = 1 << 16
MAX_SIGNATURE_BYTES: Final = 4_096
_PRICE: Final = re.compile(r"0|[1-9][0-9]{0,77}")
_HEX: Final = re.compile(r"0x([0-9a-f]*)")


def receipt_from_json(text: str | bytes) -> SignedReceipt:
    """Parse the one canonical form; a line end after it, as editors add, is no part of it.

    Raises:
        ReceiptMalformed: it is anything else.
    """
    if len(text) > MAX_RECEIPT_BYTES:
        raise ReceiptMalformed(f"A receipt has at most {MAX_RECEIPT_BYTES} bytes.")
    try:
        plain = text if isinstance(text, str) else text.decode("ascii")
        document = read_json(plain)
    except (ValueError, RecursionError) as error:
        raise ReceiptMalformed("The receipt is not JSON.") from error
    parsed = receipt_from_document(document)
    if parsed.to_json() != plain.removesuffix("\n"):
        raise ReceiptMalformed("The receipt is not in canonical form.")
    return parsed


def receipt_from_document(document: object) -> SignedReceipt:
    """Take the parsed JSON form, strictly; raises as `receipt_from_json`."""
    match document:
        case {
            "ledger": str(ledger),
            "modelId": str(model_id),
            "version": str(version),
            "manifest": str(manifest),
            "inputHash": str(input_hash),
            "outputHash": str(output_hash),
            "engine": str(engine),
            "price": str(price),
            "nonce": str(nonce),
            "time": int(time),
            "worker": str(worker),
            "signature": str(signature),
            **rest,
        } if type(time) is int and _PRICE.fullmatch(price):
            kind, answer = _kind_and_answer(rest)
            first = kind is FirstReceipt
            receipt = kind(
                ledger=ledger,
                model_id=_bytes(model_id),
                version=version,
                manifest=_bytes(manifest),
                input_hash=_bytes(input_hash),
                output_hash=_bytes(output_hash),
                engine=engine,
                price=int(price),
                time=time,
                worker=first_worker(ledger, _bytes(worker, 20)) if first else worker,
                nonce=_bytes(nonce),
                answer=answer,
            )
            smallest, largest = (SIGNATURE_BYTES,) * 2 if first else (1, MAX_SIGNATURE_BYTES)
            return SignedReceipt(receipt, _bytes(signature, smallest, largest))
    raise ReceiptMalformed("The receipt does not have the fields it must have.")


def _kind_and_answer(rest: Mapping[object, object]) -> tuple[type[Receipt], str]:
    kind: type[Receipt] = Receipt
    match rest:
        case {"format": str(form), **more} if form == FORMAT:
            rest = more
        case {"format": other}:
            raise ReceiptMalformed(f"The receipt's format is {str(other)[:60]!r}, not {FORMAT!r}.")
        case _:
            kind = FirstReceipt
    match rest:
        case {"answer": str(answer), **more} if answer and not more:
            return kind, answer
        case {**more} if not more:
            return kind, ""
    raise ReceiptMalformed("The receipt does not have the fields it must have.")


def _bytes(text: str, smallest: int = 32, largest: int | None = None) -> bytes:
    """Read lower-case hex of `smallest` to `largest` bytes, or of just `smallest`."""
    largest = smallest if largest is None else largest
    found = _HEX.fullmatch(text)
    if found is None or len(found[1]) % 2 or not smallest <= len(found[1]) // 2 <= largest:
        size = f"{2 * smallest}" if smallest == largest else f"{2 * smallest} to {2 * largest}"
        raise ReceiptMalformed(f"A field must be 0x and {size} lower-case hex digits.")
    return bytes.fromhex(found[1])
