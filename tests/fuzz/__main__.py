"""Feeds decoders: ``python -m fuzz --inputs 10000000``, or one: ``--decoder erc7930 --batch 3``."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from fuzz.campaign import BATCH, Played, campaign, play
from fuzz.registry import DECODERS


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="in all, shared out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--decoder", choices=DECODERS, action="append", help="this one alone")
    parser.add_argument("--batch", type=int, help="play this batch of the decoder again")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    names = options.decoder or list(DECODERS)
    began = time.monotonic()
    if options.batch is not None:
        played = [play(name, options.seed, options.batch, BATCH) for name in names]
    else:
        played = list(campaign(names, options.seed, options.inputs, options.workers))
    _tell(played, time.monotonic() - began)
    breaches = [breach for each in played for breach in each.breaches]
    for breach in breaches[:40]:
        print(f"{breach.decoder}: {breach.how}\n    on {breach.given}", file=sys.stderr)
        print(
            f"    again: make fuzz DECODER={breach.decoder} SEED={options.seed} "
            f"BATCH={breach.batch}",
            file=sys.stderr,
        )
    return int(bool(breaches))


def _tell(played: list[Played], took: float) -> None:
    inputs: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    for each in played:
        inputs[each.decoder] += each.inputs
        seconds[each.decoder] += each.seconds
    for name, count in inputs.most_common():
        print(f"{count:>11,} {name:<24} {seconds[name] / count * 1e6:>9,.0f} µs each")
    print(f"{inputs.total():>11,} inputs of {len(inputs)} decoders in {took:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
