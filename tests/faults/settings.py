"""What one schedule is made of, drawn from its seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

Kind = Literal["tolerated", "one-more", "beyond-finality"]


@dataclass(frozen=True, slots=True)
class Settings:
    """A schedule before it starts.

    `limits` is how many routes have small limits, `pauses` how many are stopped for nothing.
    `evil` and `misled` are members by place: the first sign anything, the second have nodes that
    lie. Together they are fewer than the threshold, unless one more is asked for. With `unlike` one
    of the ledgers is the one in memory, which is no EVM; that is drawn apart from all else.
    """

    seed: int
    kind: Kind
    evil: tuple[int, ...]
    misled: tuple[int, ...]
    seconds: float
    strikes: int
    loss: float
    duplicates: float
    slow: float
    interrupted: float
    relayers: int
    attacks: int
    watched: bool
    limits: int
    pauses: int
    rotates: bool
    unlike: bool

    @classmethod
    def draw(cls, seed: int, kind: Kind, threshold: int, members: int) -> Settings:
        rng = Random(f"{seed}/{kind}/settings")
        places = list(range(members))
        rng.shuffle(places)
        bad = threshold if kind == "one-more" else rng.randint(0, threshold - 1)
        evil = bad if kind == "one-more" else rng.randint(0, bad)
        return cls(
            seed=seed,
            kind=kind,
            evil=tuple(sorted(places[:evil])),
            misled=tuple(sorted(places[evil:bad])),
            seconds=rng.uniform(150.0, 320.0),
            strikes=rng.randint(2, 10),
            loss=rng.choice([0.0, 0.05, 0.2]),
            duplicates=rng.choice([0.0, 0.1]),
            slow=rng.choice([0.0, 0.05, 0.2]),
            interrupted=rng.choice([0.0, 0.02, 0.1]),
            relayers=rng.randint(1, 2),
            attacks=rng.randint(10, 20) if kind == "one-more" else rng.randint(2, 8),
            watched=kind == "one-more" or (kind == "tolerated" and rng.random() < 0.35),
            limits=rng.randint(2, 6) if rng.random() < (0.6 if kind == "one-more" else 0.25) else 0,
            pauses=rng.choice([0, 0, 0, 1]) if kind == "tolerated" else 0,
            rotates=kind != "beyond-finality" and rng.random() < 0.15,
            unlike=Random(f"{seed}/{kind}/unlike").random() < 0.5,
        )
