"""One measured figure, and how figures are shown and kept."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True, slots=True)
class Result:
    """A figure. `ratio` compares with the peer; `floor` or `ceiling` is the promise."""

    name: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    floor: float | None = None
    ceiling: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the promise, if there is one, is kept."""
        judged = self.value
        return (self.floor is None or judged >= self.floor) and (
            self.ceiling is None or judged <= self.ceiling
        )

    @property
    def promise(self) -> str:
        """The promise in words."""
        if self.floor is not None:
            return f"at least {self.floor:g}"
        return f"at most {self.ceiling:g}" if self.ceiling is not None else ""


def show(results: Sequence[Result]) -> None:
    """Print a table."""
    table = Table(title="Measured on this machine", title_justify="left")
    for column in ("figure", "value", "unit", "peer", "peer value", "ratio", "promise", "holds"):
        table.add_column(column)
    for result in results:
        table.add_row(
            result.name,
            f"{result.value:,.4g}",
            result.unit,
            result.peer,
            "" if result.peer_value is None else f"{result.peer_value:,.4g}",
            "" if result.ratio is None else f"{result.ratio:.3f}",
            result.promise,
            "yes" if result.holds else "[red]NO[/red]",
        )
    Console().print(table)


def save(results: Sequence[Result]) -> None:
    """Write `bench/results.json`, keeping earlier figures that this run did not measure."""
    kept = {}
    if RESULTS.is_file():
        kept = {entry["name"]: entry for entry in json.loads(RESULTS.read_text())["results"]}
    kept |= {result.name: asdict(result) for result in results}
    document = {
        "machine": {"processor": platform.machine(), "python": platform.python_version()},
        "results": list(kept.values()),
    }
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
