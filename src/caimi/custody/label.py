"""The label that binds a sealed key to one model version."""

from __future__ import annotations

import hashlib
from typing import Final

from caimi.errors.custody import MalformedEncoding

LABEL_TAG: Final = b"caimi/key/v1"
MODEL_ID_BYTES: Final = 32
VERSION_CHARACTERS: Final = 128


def label_for(model_id: bytes, version: str) -> bytes:
    """Give the 76-byte label of a model version: tag, model id, SHA-256 of the version in UTF-8.

    Raises:
        MalformedEncoding: `model_id` is not 32 bytes, or `version` is empty, too long or not UTF-8.
    """
    if len(model_id) != MODEL_ID_BYTES:
        raise MalformedEncoding(f"A model id must be {MODEL_ID_BYTES} bytes, not {len(model_id)}.")
    if not 1 <= len(version) <= VERSION_CHARACTERS:
        raise MalformedEncoding(
            f"A version must have 1 to {VERSION_CHARACTERS} characters, not {len(version)}."
        )
    try:
        written = version.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedEncoding("A version must be text that UTF-8 can hold.") from error
    return LABEL_TAG + model_id + hashlib.sha256(written).digest()
