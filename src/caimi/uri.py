"""Model URIs: ``caimi:<CAIP-2 ledger>:<0x + 64 hex digits>[@<version or alias>]``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from caimi.chains import LEDGER, parse_ledger_id
from caimi.errors.ids import InvalidLedgerId, InvalidModelUri
from caimi.hex_text import read_hex

_URI = re.compile(
    rf"caimi:(?P<ledger>{LEDGER}):(?P<id>0x[0-9a-f]{{64}})"
    r"(?:@(?P<selector>[^@]*))?"
)
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,63}")
_ALIAS = re.compile(r"[a-z][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class ModelUri:
    """A model, and optionally one version: by number (digit first) or by alias (letter first).

    Construction raises `InvalidModelUri`.
    """

    ledger: str
    model_id: bytes
    selector: str | None = None

    def __post_init__(self) -> None:
        try:
            parse_ledger_id(self.ledger)
        except InvalidLedgerId as error:
            raise InvalidModelUri(f"{self.ledger[:60]!r} is no ledger of a model.") from error
        if len(self.model_id) != 32:
            raise InvalidModelUri(f"A model id has 32 bytes, not {len(self.model_id)}.")
        if (
            self.selector is not None
            and not is_version(self.selector)
            and not is_alias(self.selector)
        ):
            raise InvalidModelUri(f"{self.selector[:80]!r} is neither a version nor an alias.")

    @classmethod
    def parse(cls, text: str) -> ModelUri:
        """Parse a URI; raises as construction does."""
        found = _URI.fullmatch(text)
        if found is None:
            raise InvalidModelUri(f"{text[:120]!r} does not name a model.")
        return cls(found["ledger"], read_hex(found["id"]), found["selector"])

    def with_selector(self, selector: str | None) -> ModelUri:
        """Name another version of the same model, or none."""
        return replace(self, selector=selector)

    def __str__(self) -> str:
        suffix = f"@{self.selector}" if self.selector is not None else ""
        return f"caimi:{self.ledger}:0x{self.model_id.hex()}{suffix}"


def is_version(text: str) -> bool:
    """Whether `text` has the form of a version."""
    return _VERSION.fullmatch(text) is not None


def is_alias(text: str) -> bool:
    """Whether `text` has the form of an alias."""
    return _ALIAS.fullmatch(text) is not None
