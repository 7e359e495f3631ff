"""Plays fresh seeds for as long as it is let: ``python -m faults.onward --first 700001``.

What was played is kept in a file, so that the next run goes on where this one was stopped. A seed
that breaks something is told and written down, and does not stop the others; it is played again by
the next run.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

from faults.campaign import campaign
from faults.record import Record
from faults.tree import ROOT, tree_name

_STRETCH = 250


def main() -> int:
    """Play from the first undone seed on; 1 when the record holds seeds that broke something."""
    parser = argparse.ArgumentParser(prog="faults.onward", description=__doc__)
    parser.add_argument("--first", type=int, default=700_001, help="where the campaign begins")
    parser.add_argument("--schedules", type=int, default=100_000, help="how many it has in all")
    parser.add_argument("--minutes", type=float, default=10_000.0, help="when to stop at last")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--record", type=Path, default=ROOT / "build" / "faults-campaign.json")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    record, tree, began = Record.read(options.record), tree_name(), time.monotonic()
    end = options.first + options.schedules
    seed, bound = record.next_undone(options.first)
    while seed < end and time.monotonic() - began < 60 * options.minutes:
        count = min(_STRETCH, end - seed, (bound or end) - seed)
        since = time.monotonic()
        seeds = range(seed, seed + count)
        broken = {
            report.seed: [*report.broken, *report.harm]
            for report in campaign(seeds, "tolerated", options.workers)
            if report.broken or report.harm
        }
        record.add(seed, count, tree, broken)
        for each, lines in broken.items():
            print(*(f"seed {each}: {line}" for line in lines), sep="\n", flush=True)
        seed += count
        print(
            f"{seed - options.first} of {options.schedules} schedules, "
            f"{(time.monotonic() - since) / count:.2f} s each, "
            f"{len(record.broken)} broke something",
            flush=True,
        )
        seed, bound = record.next_undone(seed)
    print(record.table())
    for each, lines in record.broken.items():
        print(f"make faults SEED={each}: {'; '.join(lines)}", file=sys.stderr)
    return int(bool(record.broken))


if __name__ == "__main__":
    sys.exit(main())
