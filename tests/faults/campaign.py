"""Many schedules over several processes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from faults.settings import Kind
from faults.world import Report, play

_BATCH = 25


def play_each(seeds: Sequence[int], kind: Kind) -> list[Report]:
    """Play some schedules, one after another."""
    # Relayers tell of every failure, and there are many.
    logging.disable(logging.CRITICAL)
    return [play(seed, kind) for seed in seeds]


def campaign(seeds: Sequence[int], kind: Kind, workers: int) -> Iterator[Report]:
    """Play the schedules of `seeds` over `workers` processes, in their order."""
    batches = [seeds[i : i + _BATCH] for i in range(0, len(seeds), _BATCH)]
    if workers == 1:
        for batch in batches:
            yield from play_each(batch, kind)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            for part in pool.map(play_each, batches, [kind] * len(batches)):
                yield from part
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
