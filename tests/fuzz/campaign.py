"""Batches of inputs, each drawn from its own seed, over processes."""

from __future__ import annotations

import logging
import resource
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from random import Random
from time import perf_counter

from fuzz.registry import DECODERS

BATCH = 2_000
MOST_BREACHES = 3
MOST_GROWTH = 512 << 10
"""Kibibytes by which one batch may raise the most memory that its process ever held."""


@dataclass(frozen=True, slots=True)
class Breach:
    """An input that a decoder did not keep its law on."""

    decoder: str
    batch: int
    given: str
    how: str


@dataclass(frozen=True, slots=True)
class Played:
    """What one batch came to."""

    decoder: str
    inputs: int
    seconds: float
    breaches: tuple[Breach, ...]


def play(name: str, seed: int, batch: int, inputs: int) -> Played:
    """Play one batch of one decoder."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    decoder = DECODERS[name]
    draw = Random(f"{seed}/{name}/{batch}")
    assert decoder.corpus
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = perf_counter()
    found: list[Breach] = []
    played = 0
    while played < inputs:
        played += 1
        given = decoder.damaged(draw)
        how = decoder.breach(given)
        if how is not None:
            shown = given.hex() if isinstance(given, bytes) else ascii(given)
            found.append(Breach(name, batch, shown[:2_000], how))
            if len(found) == MOST_BREACHES:
                break
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if grown > MOST_GROWTH:
        found.append(Breach(name, batch, "", f"held {grown >> 10} MiB more than before"))
    return Played(name, played, perf_counter() - began, tuple(found))


def batches(names: Sequence[str], inputs: int) -> list[tuple[str, int, int]]:
    """Share `inputs` out: decoder, batch number, size. Every decoder gets at least one input."""
    whole = sum(DECODERS[name].share for name in names)
    planned = []
    for name in names:
        left = max(1, round(inputs * DECODERS[name].share / whole))
        for batch in range(-(-left // BATCH)):
            planned.append((name, batch, min(BATCH, left - batch * BATCH)))
    return planned


def campaign(names: Sequence[str], seed: int, inputs: int, workers: int) -> Iterator[Played]:
    """Play `inputs` in all over `names`, as they are done."""
    context = get_context("spawn")  # an extension's threads do not survive a fork
    with ProcessPoolExecutor(workers, context) as pool:
        playing = [
            pool.submit(play, name, seed, batch, size)
            for name, batch, size in batches(names, inputs)
        ]
        for done in as_completed(playing):
            yield done.result()
