"""How commands print: tables for people, one JSON document for machines, errors for both."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from caimi.errors.base import CaimiError

out = Console()
err = Console(stderr=True)


def jsonable(value: object) -> Any:  # noqa: ANN401 - JSON has no narrower type
    """Turn dataclasses, bytes and paths into what JSON can say."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: jsonable(item) for key, item in asdict(value).items()}
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return value


def print_json(document: object) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(jsonable(document), indent=2, default=str) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; an empty one says so."""
    if not rows:
        out.print(f"[dim]{escape(title)}: nothing.[/dim]")
        return
    shown = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(escape(str(cell)) for cell in row))
    out.print(shown)


def facts(title: str, pairs: Mapping[str, object]) -> None:
    """Print names and values under a title, a line each, never broken: they are for copying."""
    out.print(f"[bold]{escape(title)}[/bold]")
    width = max(map(len, pairs), default=0)
    for key, value in pairs.items():
        if str(value):
            out.print(f"  {escape(key):<{width}}  {escape(str(value))}", soft_wrap=True)


def print_error(error: CaimiError, *, as_json: bool) -> None:
    """Print an error: JSON on standard output, or a panel on standard error."""
    if as_json:
        print_json({"ok": False, "error": error.as_dict()})
        return
    lines = [f"[bold]{escape(error.what)}[/bold]"]
    if error.why:
        lines.append(f"Why:  {escape(error.why)}")
    if error.next_step:
        lines.append(f"Next: {escape(error.next_step)}")
    err.print(Panel("\n".join(lines), title=f"[red]{error.code}[/red]", title_align="left"))


@contextmanager
def progress_bars(*, quiet: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    """Show one bar a stage of long work, on standard error; nothing when `quiet`."""
    if quiet:
        yield lambda stage, done, total: None
        return
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )
    tasks: dict[str, Any] = {}
    with bars:

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report
