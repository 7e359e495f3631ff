"""One measured figure, and how figures are shown and kept."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results.json"
FIGURES = Path(__file__).parent.parent / "docs" / "figures.md"


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
            return f"at least {number(self.floor)}"
        return f"at most {number(self.ceiling)}" if self.ceiling is not None else ""

    @property
    def compared(self) -> str:
        """The peer and its figure in words."""
        if self.peer_value is None:
            return self.peer
        return f"{self.peer} ({number(self.peer_value)})"


def p99(values: Sequence[float]) -> float:
    """Give the value that 99 of 100 do not exceed."""
    return sorted(values)[int(len(values) * 0.99)]


def number(value: float) -> str:
    """Write a figure with three significant digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show(results: Sequence[Result]) -> None:
    """Print a table."""
    table = Table(title="Measured on this machine", title_justify="left", box=SIMPLE)
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    for column in ("unit", "peer", "promise"):
        table.add_column(column, overflow="fold")
    table.add_column("holds", no_wrap=True)
    for result in results:
        holds = "yes" if result.holds else "[red]NO[/red]"
        value = number(result.value)
        table.add_row(result.name, value, result.unit, result.compared, result.promise, holds)
    Console().print(table)


def write_figures() -> None:
    """Put the kept figures into the table of docs/figures.md."""
    document = json.loads(RESULTS.read_text("utf-8"))
    rows = [
        f"| `{each.name}` | {number(each.value)} | {each.unit} | {each.compared} | {each.promise} |"
        for each in (Result(**entry) for entry in document["results"])
    ]
    head = ["| figure | value | unit | peer | promise |", "|---|---|---|---|---|"]
    text = FIGURES.read_text("utf-8")
    before, rest = text.split("| figure | value | unit |", 1)
    after = rest[rest.index("<!-- bench:end -->") :]
    FIGURES.write_text(before + "\n".join([*head, *rows, after]), "utf-8")


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
