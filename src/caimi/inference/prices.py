"""A worker's price list: what an answer costs, told before it is given.

Amounts are whole numbers of the smallest unit of the ledger that the model is licensed on. An
answer costs the sum of its parts, rounded up once, and at least `minimum`. Fuel is what the
published schedule of caimi-wasm's SIMD engine tells for the model and the request's shapes,
whatever engine then runs it: so a price depends neither on the machine nor on the numbers sent.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from caimi.errors.inference import PricesMalformed

Shapes = Mapping[str, tuple[int, ...]]

MAX_AMOUNT: Final = 10**40
MAX_FILE_BYTES: Final = 1 << 16
_GIGA: Final = 10**9
_MEGA: Final = 10**6
_AMOUNT: Final = re.compile(r"0|[1-9][0-9]{0,39}")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request uses, told from the model's graph and the shapes of its inputs."""

    fuel: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices, none below 0; construction raises `PricesMalformed`.

    `request` is for each answer, `gigafuel` for 10^9 of fuel, `megabyte_in` and `megabyte_out` for
    10^6 bytes of inputs and outputs.
    """

    minimum: int = 0
    request: int = 0
    gigafuel: int = 0
    megabyte_in: int = 0
    megabyte_out: int = 0

    def __post_init__(self) -> None:
        for name in _NAMES:
            amount = getattr(self, name)
            if type(amount) is not int or not 0 <= amount <= MAX_AMOUNT:
                raise PricesMalformed(f"{name} is not a whole number from 0 to 10^40.")

    def price(self, usage: Usage) -> int:
        """Give the price of one answer."""
        parts = (
            self.request * _GIGA
            + self.gigafuel * usage.fuel
            + (self.megabyte_in * usage.bytes_in + self.megabyte_out * usage.bytes_out)
            * (_GIGA // _MEGA)
        )
        return max(self.minimum, -(-parts // _GIGA))

    @property
    def is_constant(self) -> bool:
        """Whether every answer costs the same."""
        return not (self.gigafuel or self.megabyte_in or self.megabyte_out)

    def as_document(self) -> dict[str, str]:
        """Give the JSON form: amounts are decimal text, which no reader rounds."""
        return {name: str(getattr(self, name)) for name in _NAMES}

    @classmethod
    def from_document(cls, document: object) -> PriceList:
        """Take the form of JSON or TOML, strictly: amounts as text or as integers.

        Raises:
            PricesMalformed: an unknown field, or an amount out of form or range.
        """
        if not isinstance(document, Mapping):
            raise PricesMalformed("A price list is an object.")
        unknown = sorted(str(name) for name in document if name not in _NAMES)
        if unknown:
            raise PricesMalformed(f"A price list has no field {unknown[0][:80]!r}.")
        return cls(**{name: _amount(name, value) for name, value in document.items()})


_NAMES: Final = tuple(field.name for field in fields(PriceList))
FREE: Final = PriceList()
NOTHING: Final = Usage(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one answer will cost, and by which list."""

    price: int
    prices: PriceList

    def as_document(self) -> dict[str, object]:
        """Give the JSON form; amounts are decimal text."""
        return {"price": str(self.price), "prices": self.prices.as_document()}

    @classmethod
    def from_document(cls, document: object) -> Offer:
        """Take the JSON form, strictly.

        Raises:
            PricesMalformed: it is anything else.
        """
        match document:
            case {"price": str(price), "prices": prices, **rest} if not rest:
                listed = PriceList.from_document(prices)
                return cls(PriceList.from_document({"minimum": price}).minimum, listed)
        raise PricesMalformed("An offer is a price and a price list.")


def _amount(name: str, value: object) -> int:
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return int(value)
    if type(value) is int:
        return value
    raise PricesMalformed(f"{name} is not a whole number from 0 to 10^40.")


def read_prices(file: Path) -> PriceList:
    """Read a TOML file of prices.

    Raises:
        PricesMalformed: there is none, it is too large, or out of form.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise PricesMalformed(f"{file}: {error.strerror or error}.") from error
    return parse_prices(data, file.name)


def parse_prices(data: bytes, name: str = "prices") -> PriceList:
    """Take the bytes of a TOML file of prices; raises `PricesMalformed`."""
    if len(data) > MAX_FILE_BYTES:
        raise PricesMalformed(f"{name}: over {MAX_FILE_BYTES} bytes.")
    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise PricesMalformed(f"{name}: {str(error)[:200]}.") from error
    return PriceList.from_document(document)
