"""A message's JSON and its fields, strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NoReturn

from caimi.errors.inference import UnreadableTensors
from caimi.inference.oip.messages import MAX_ID
from caimi.json_text import read_json

LENGTH_HEADER: Final = "Inference-Header-Content-Length"
MAX_JSON_BYTES: Final = 8 << 20
"""What JSON parses to takes many times its own size: larger tensors go as bytes."""


def split_body(body: bytes, length: str | None) -> tuple[object, memoryview]:
    """Give a body's JSON, and the bytes after it; `length` is its `LENGTH_HEADER`, if it has one.

    Raises:
        UnreadableTensors: there is no JSON of that length, or of more than may be.
    """
    end = len(body)
    if length is not None:
        if not (length.isascii() and length.isdigit() and len(length) <= 12):
            raise UnreadableTensors(f"{LENGTH_HEADER} is {length[:40]!r}, which is no length.")
        end = int(length)
        if end > len(body):
            raise UnreadableTensors(f"{LENGTH_HEADER} is {end}, of a body of {len(body)} bytes.")
    if end > MAX_JSON_BYTES:
        raise UnreadableTensors(
            f"{end} bytes of JSON are more than the {MAX_JSON_BYTES} that are read.",
            next_step="Send large tensors as bytes, with the binary-data extension.",
        )
    try:
        document = read_json(body[:end], parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UnreadableTensors(f"The body is not JSON: {str(error)[:200]}.") from error
    return document, memoryview(body)[end:]


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")


def fields_of(
    document: object, what: str, needed: tuple[str, ...], allowed: tuple[str, ...]
) -> Mapping[str, object]:
    """Take an object with exactly these fields; what is allowed may be null, too.

    Raises:
        UnreadableTensors: it is something else, or has other fields.
    """
    given = document if isinstance(document, dict) else {}
    there = {name: value for name, value in given.items() if value is not None}
    if not (set(needed) <= set(there) and set(given) <= {*needed, *allowed}):
        raise UnreadableTensors(
            f"{what} must have {', '.join(needed)}, and may have {', '.join(allowed)}."
        )
    return there


def object_field(fields: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Take a field that is an object, empty where it is absent; raises `UnreadableTensors`."""
    value = fields.get(name, {})
    if not isinstance(value, dict):
        raise UnreadableTensors(f"{name} must be an object.")
    return value


def text_field(value: object, what: str) -> str:
    """Take a text of at most `MAX_ID` characters; raises `UnreadableTensors`."""
    if not isinstance(value, str) or len(value) > MAX_ID:
        raise UnreadableTensors(f"{what} must be a text of at most {MAX_ID} characters.")
    return unicode_text(what, value)


def unicode_text(what: str, text: object) -> str:
    """Take a text without halves of surrogate pairs, which JSON can say and UTF-8 cannot.

    Raises:
        UnreadableTensors: it has one.
    """
    try:
        str(text).encode()
    except UnicodeEncodeError as error:
        raise UnreadableTensors(f"{what!r} has a text that is no Unicode.") from error
    return str(text)


def flag(value: object) -> bool:
    """Take true or false; raises `UnreadableTensors`."""
    if not isinstance(value, bool):
        raise UnreadableTensors("Whether outputs are binary is true or false.")
    return value
