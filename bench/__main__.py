"""`make bench`: run the benchmarks (or those named), print and write the figures.

``memory`` and ``growth`` take minutes and write plots, ``agreement`` and ``conformance`` tables of
pages: they run only when they are named. Exits 1 when a promise is not kept. ``python -m bench
figures`` copies what was written into the table of docs/figures.md.
"""

from __future__ import annotations

import sys
from importlib import import_module

from bench.result import Result, save, show, write_figures

BENCHMARKS = (
    "unlock",
    "sealing",
    "inference",
    "batching",
    "oip",
    "wasm",
    "wasm_start",
    "wasm_stream",
    "fuel",
    "publishing",
    "wan",
    "gas",
    "relaying",
    "stores",
    "searching",
    "starting",
    "fabric",
    "fabric_relaying",
)
LONG = ("memory", "growth", "agreement", "conformance")


def main(names: list[str]) -> int:
    """Run the named benchmarks, all when none is named."""
    if names == ["figures"]:
        write_figures()
        return 0
    results: list[Result] = []
    for name in names or BENCHMARKS:
        if name not in (*BENCHMARKS, *LONG):
            known = ", ".join((*BENCHMARKS, *LONG))
            sys.stderr.write(f"No benchmark {name!r}; there are: {known}.\n")
            return 2
        sys.stderr.write(f"bench {name} …\n")
        results += import_module(f"bench.{name}").measure()
    show(results)
    save(results)
    return 0 if all(result.holds for result in results) else 1


sys.exit(main(sys.argv[1:]))
