"""The published schedule: what fuel each thing costs that a step may do, for one engine id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from caimi.errors.base import CaimiError
from caimi.errors.inference import ScheduleMalformed
from caimi.inference.wasm.fuel.work import Work
from caimi.models.strict_json import Fields, Json, decode, encode

VERSION: Final = 2
MAX_BYTES: Final = 1 << 20
MAX_ENTRIES: Final = 10_000
_MAX_FUEL: Final = 10_000_000
_SCALE: Final = 1000
_NAME: Final = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+){1,5}")
_ENGINE: Final = re.compile(r"caimi-wasm/[0-9]{1,4}/[a-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class Prediction:
    """Fuel that a run will take, but for what steps of the kinds in `unpriced` do."""

    fuel: int
    unpriced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """Thousandths of fuel by name of a count. Construction raises `ScheduleMalformed`.

    A count without a price makes its kind of step unpriced: it is named, and never guessed.
    """

    engine: str
    prices: Mapping[str, int]
    run: int = 0

    def __post_init__(self) -> None:
        if not _ENGINE.fullmatch(self.engine):
            raise ScheduleMalformed(f"{self.engine[:80]!r} is no engine id.")
        if len(self.prices) > MAX_ENTRIES:
            raise ScheduleMalformed(f"More than {MAX_ENTRIES} prices.")
        for name, price in self.prices.items():
            if not _NAME.fullmatch(name) or not 0 <= price <= _MAX_FUEL * _SCALE:
                raise ScheduleMalformed(f"The price {name[:80]!r} is out of form or range.")
        if not 0 <= self.run <= _MAX_FUEL * _SCALE:
            raise ScheduleMalformed("The price of a run is out of range.")

    def predict(self, works: Iterable[Work]) -> Prediction:
        """Tell the fuel of one call of a module from its steps."""
        total, unpriced = self.run, []
        for work in works:
            unpriced += [name.rsplit(".", 1)[0] for name in work.counts if name not in self.prices]
            total += sum(count * self.prices.get(name, 0) for name, count in work.counts.items())
        return Prediction(-(-total // _SCALE), tuple(dict.fromkeys(unpriced)))

    def encode(self) -> bytes:
        """Give the canonical bytes (RFC 8785)."""
        form: dict[str, Json] = {
            "version": VERSION,
            "engine": self.engine,
            "unit": f"1/{_SCALE} fuel",
            "prices": dict(self.prices),
            "run": self.run,
        }
        return encode(form)

    @classmethod
    def decode(cls, data: bytes) -> Schedule:
        """Read canonical bytes; unknown fields are refused.

        Raises:
            ScheduleMalformed: with the place.
        """
        try:
            fields = Fields(decode(data, MAX_BYTES), "schedule")
            fields.integer("version", VERSION, VERSION)
            if fields.text("unit", 32) != f"1/{_SCALE} fuel":
                fields.refuse("unit", "is another one")
            prices = fields.raw("prices")
            if not isinstance(prices, Mapping):
                fields.refuse("prices", "is not an object")
            each = Fields(prices, "schedule.prices")
            schedule = cls(
                engine=fields.text("engine", 64),
                prices={name: each.integer(name, 0, _MAX_FUEL * _SCALE) for name in prices},
                run=fields.integer("run", 0, _MAX_FUEL * _SCALE),
            )
            fields.done()
        except ScheduleMalformed:
            raise
        except CaimiError as error:
            raise ScheduleMalformed(error.what) from error
        return schedule


@cache
def published(variant: str) -> Schedule | None:
    """Give the schedule that ships with this version for a variant, None if there is none."""
    file = files("caimi.inference.wasm.fuel") / "schedules" / f"{variant}.json"
    return Schedule.decode(file.read_bytes()) if file.is_file() else None
