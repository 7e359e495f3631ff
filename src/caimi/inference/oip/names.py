"""Models' names in the protocol: ``<ledger's namespace>.<its reference>.<0x + 64 hex digits>``.

The version's name is the version or alias of the URI, and empty for the newest one that is not
deprecated. Neither part of a CAIP-2 ledger has a dot in it, so names and models are one to one; and
no character needs escaping in a URL.
"""

from __future__ import annotations

from caimi.errors.ids import InvalidModelUri
from caimi.uri import ModelUri


def protocol_name(uri: ModelUri) -> str:
    """Give the name of a URI's model; its version's name is `uri.selector`, or empty."""
    return f"{uri.ledger.replace(':', '.')}.0x{uri.model_id.hex()}"


def uri_of(name: str, version: str = "") -> ModelUri:
    """Give the URI that a model's and a version's name stand for.

    Raises:
        InvalidModelUri: they stand for none.
    """
    parts = name.split(".")
    if len(parts) != 3:
        raise InvalidModelUri(
            f"{name[:120]!r} is no model's name of the Open Inference Protocol.",
            next_step="Write caimi:eip155:1:0x… as eip155.1.0x…, and its version beside it.",
        )
    uri = ModelUri.parse(f"caimi:{parts[0]}:{parts[1]}:{parts[2]}")
    return uri.with_selector(version) if version else uri
