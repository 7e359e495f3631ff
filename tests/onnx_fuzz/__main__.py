"""Plays batches: ``python -m onnx_fuzz --batches 60``, from where the page's ranges end.

Exits 1 when an answer is wrong or our own code fails; a clean range is written into the page.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from multiprocessing import get_context

from onnx_fuzz.play import Played, bound_memory, play
from onnx_fuzz.record import PAGE, is_clean, next_seed, row


def main() -> int:
    """Play, tell each wrong answer as it is found, and the sum."""
    parser = argparse.ArgumentParser(prog="onnx_fuzz", description=__doc__)
    parser.add_argument("--first", type=int, help="play these again, and write nothing")
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    began, whole = time.monotonic(), []
    first = next_seed(PAGE.read_text()) if options.first is None else options.first
    seeds = range(first, first + options.batches)
    if options.workers == 1:
        results = map(play, seeds)
        whole = [_tell(played) for played in results]
    else:
        with get_context("spawn").Pool(options.workers, bound_memory) as pool:
            whole = [_tell(played) for played in pool.imap(play, seeds)]
    _sum(whole, time.monotonic() - began)
    if is_clean(whole) and options.first is None:
        with PAGE.open("a") as page:
            page.write(row(whole))
    return int(not is_clean(whole))


def _tell(played: Played) -> Played:
    print(f"seed {played.seed}, opset {played.opset}: {played.cases} cases, "
          f"{played.agreed.total()} agree, {played.refused.total()} refused, "
          f"{len(played.split)} split, {len(played.wrong)} wrong, {len(played.faults)} faults",
          flush=True)  # fmt: skip
    for kind, stories in (
        ("wrong", played.wrong),
        ("fault", played.faults),
        ("split", played.split),
    ):
        for story in stories:
            print(f"  {kind}: {story}", flush=True)
    return played


def _sum(whole: list[Played], took: float) -> None:
    refused: Counter[str] = Counter()
    for played in whole:
        refused += played.refused
    for why, count in refused.most_common(40):
        print(f"{count:>6} refused: {why}")
    print(
        f"{sum(p.cases for p in whole):,} cases, {sum(p.agreed.total() for p in whole):,} agree, "
        f"{refused.total():,} refused, {sum(len(p.split) for p in whole)} split, "
        f"{sum(len(p.wrong) for p in whole)} wrong, {sum(len(p.faults) for p in whole)} faults, "
        f"{sum(p.unanswered for p in whole):,} without an oracle; {took:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
