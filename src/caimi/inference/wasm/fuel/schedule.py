"""The published schedule: what fuel each thing costs that a step may do, for one engine id."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from caimi.errors.base import CaimiError
from caimi.errors.inference import ScheduleMalformed
from caimi.inference.wasm.fuel.work import Work
from caimi.models.strict_json import Json, JsonFields, decode, encode

VERSION: Final = 3
MAX_BYTES: Final = 1 << 20
MAX_ENTRIES: Final = 10_000
DOUBT: Final = 0.1
"""How far from what a run takes told fuel may be expected to lie, relative to it."""
SLACK: Final = 300
"""Fuel that doubts are relative to besides what a step is told to take."""
_MAX_FUEL: Final = 10_000_000
_SCALE: Final = 1000
_MAX_DOUBT: Final = 1_000_000
_KIND: Final = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+){0,4}")
_NAME: Final = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+){1,5}")
_ENGINE: Final = re.compile(r"caimi-wasm/[0-9]{1,4}/[a-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class Prediction:
    """Fuel that a run will take. It is no charge unless `untold` is empty.

    `untold` names kinds of steps without a price, whose fuel is left out, and those so doubtful
    that the sum may be expected to be off by over `DOUBT`.
    """

    fuel: int
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """Thousandths of fuel by name of a count. Construction raises `ScheduleMalformed`.

    `doubts` are by kind of step, thousandths of what it is told to take and of `SLACK` more: the
    root of the mean square of errors, of steps that the prices were not fitted to. A count without
    a price and a kind without a doubt make their steps untold: named, and never guessed.
    """

    engine: str
    prices: Mapping[str, int]
    doubts: Mapping[str, int]
    run: int = 0

    def __post_init__(self) -> None:
        if not _ENGINE.fullmatch(self.engine):
            raise ScheduleMalformed(f"{self.engine[:80]!r} is no engine id.")
        if len(self.prices) > MAX_ENTRIES or len(self.doubts) > MAX_ENTRIES:
            raise ScheduleMalformed(f"More than {MAX_ENTRIES} prices or doubts.")
        for name, price in self.prices.items():
            if not _NAME.fullmatch(name) or not 0 <= price <= _MAX_FUEL * _SCALE:
                raise ScheduleMalformed(f"The price {name[:80]!r} is out of form or range.")
        for kind, doubt in self.doubts.items():
            if not _KIND.fullmatch(kind) or not 0 <= doubt <= _MAX_DOUBT:
                raise ScheduleMalformed(f"The doubt {kind[:80]!r} is out of form or range.")
        if not 0 <= self.run <= _MAX_FUEL * _SCALE:
            raise ScheduleMalformed("The price of a run is out of range.")

    def predict(self, works: Iterable[Work]) -> Prediction:
        """Tell the fuel of one call of a module from its steps."""
        total, untold = self.run, []
        doubts: Counter[str] = Counter()
        for work in works:
            untold += [name.rsplit(".", 1)[0] for name in work.counts if name not in self.prices]
            told = sum(count * self.prices.get(name, 0) for name, count in work.counts.items())
            total += told
            if work.kind in self.doubts:
                doubts[work.kind] += (told + SLACK * _SCALE) * self.doubts[work.kind]
            else:
                untold.append(work.kind)
        untold += _doubtful(doubts, total * _SCALE * DOUBT)
        return Prediction(-(-total // _SCALE), tuple(dict.fromkeys(untold)))

    def encode(self) -> bytes:
        """Give the canonical bytes (RFC 8785)."""
        form: dict[str, Json] = {
            "version": VERSION,
            "engine": self.engine,
            "unit": f"1/{_SCALE} fuel",
            "prices": dict(self.prices),
            "doubts": dict(self.doubts),
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
            fields = JsonFields(decode(data, MAX_BYTES), "schedule")
            fields.integer("version", VERSION, VERSION)
            if fields.text("unit", 32) != f"1/{_SCALE} fuel":
                fields.refuse("unit", "is another one")
            schedule = cls(
                engine=fields.text("engine", 64),
                prices=_integers(fields, "prices", _MAX_FUEL * _SCALE),
                doubts=_integers(fields, "doubts", _MAX_DOUBT),
                run=fields.integer("run", 0, _MAX_FUEL * _SCALE),
            )
            fields.done()
        except ScheduleMalformed:
            raise
        except CaimiError as error:
            raise ScheduleMalformed(error.what) from error
        return schedule


def _integers(fields: JsonFields, name: str, most: int) -> dict[str, int]:
    entries = fields.raw(name)
    if not isinstance(entries, Mapping):
        fields.refuse(name, "is not an object")
    each = JsonFields(entries, f"schedule.{name}")
    return {key: each.integer(key, 0, most) for key in entries}


def _doubtful(doubts: Counter[str], bound: float) -> list[str]:
    """Name the most doubtful kinds, without which the others' doubts add up to the bound."""
    rest = doubts.total()
    named = []
    for kind, doubt in doubts.most_common():
        if rest <= bound:
            break
        named.append(kind)
        rest -= doubt
    return named


@cache
def published(variant: str) -> Schedule | None:
    """Give the schedule that ships with this version for a variant, None if there is none."""
    file = files("caimi.inference.wasm.fuel") / "schedules" / f"{variant}.json"
    return Schedule.decode(file.read_bytes()) if file.is_file() else None
