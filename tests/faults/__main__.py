"""Plays schedules: ``python -m faults --schedules 1000``, or one: ``python -m faults --seed 7``."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from typing import get_args

from faults.campaign import campaign
from faults.settings import Kind
from faults.tree import first_seed, tree_name
from faults.world import Report, play


def main() -> int:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="play this schedule alone, and tell its story")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--schedules", type=int, default=1_000)
    parser.add_argument(
        "--of-tree", type=int, default=0, help="how many of this tree's own to play as well"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kind", choices=get_args(Kind), default="tolerated")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # relayers tell of every failure, and there are many
    if options.seed is not None:
        report = play(options.seed, options.kind)
        print(*report.notes, sep="\n")
        print(f"trace {report.trace}")
        return _conclude([report], options.kind)
    began = time.monotonic()
    played: list[Report] = []
    seeds = list(range(options.first, options.first + options.schedules))
    if options.of_tree:
        tree = tree_name()
        own = first_seed(tree)
        seeds += range(own, own + options.of_tree)
        print(
            f"Tree {tree[:12]} has the {options.of_tree} seeds from {own} on; the same again: "
            f"make faults FIRST={own} SCHEDULES={options.of_tree} OF_TREE=0",
            flush=True,
        )
    for report in campaign(seeds, options.kind, options.workers):
        played.append(report)
        if report.broken:
            break
    took = time.monotonic() - began
    total = len(played)
    print(
        f"{total} schedules ({options.kind}) in {took:.0f} s, {took / total:.3f} s each: "
        f"{sum(r.packets for r in played)} packets, {sum(r.blocks for r in played)} blocks "
        f"checked, {sum(bool(r.harm) for r in played)} with harm, "
        f"{sum(r.alarms for r in played)} alarms, {sum(r.attacks for r in played)} attacks, "
        f"{sum(r.seconds for r in played) / 3600:.0f} hours of ledger time"
    )
    return _conclude(played, options.kind)


def _conclude(played: list[Report], kind: Kind) -> int:
    for report in played:
        for line in report.broken:
            print(f"seed {report.seed}: {line}", file=sys.stderr)
        if report.broken:
            asked = "" if kind == "tolerated" else f" KIND={kind}"
            print(f"Play it again: make faults SEED={report.seed}{asked}", file=sys.stderr)
    return int(any(report.broken for report in played))


if __name__ == "__main__":
    sys.exit(main())
