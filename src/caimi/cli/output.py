"""How commands print: tables for people, one JSON document for machines, errors for both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, cast

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from caimi.cli.streams import STDERR, STDOUT
from caimi.errors.base import CaimiError
from caimi.errors.machine import OutputLost

out = Console(file=cast("IO[str]", STDOUT))
err = Console(file=cast("IO[str]", STDERR), stderr=True)
"""Both take a part of a text file for a whole one: rich asks no more of it."""

_Report: TypeAlias = Callable[[str, int, int | None], None]

_ESCAPED_BRACKET: Final = re.compile(r"\\+\[(?![a-z#/@][^[]*?\])")
_TEXT_WIDTH: Final = 16
"""Of a column of words at least: narrower ones are hard to read."""
_WIDE: Final = 60
"""Columns from which on there is room for how long something takes."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


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


def fields_of(result: object) -> dict[str, object]:
    """Give a result dataclass's fields by name."""
    return {name: getattr(result, name) for name in result.__dataclass_fields__}  # type: ignore[attr-defined]


def print_json(document: object) -> None:
    """Print one JSON document on standard output.

    Raises:
        OutputLost: it cannot be written.
    """
    STDOUT.write(json.dumps(jsonable(document), indent=2, default=str) + "\n")
    STDOUT.flush()


def shown(value: object, style: str = "") -> Text:
    """Give a value as text that a terminal shows and does not obey: no markup, no control codes."""
    return Text(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value)), style)


def plain(value: object) -> str:
    """Give a value as `shown` does, to stand between tags of our own markup."""
    text = shown(value).plain
    body = text.rstrip("\\")
    # Rich escapes tags alone, and takes a backslash from before any other bracket.
    kept = _ESCAPED_BRACKET.sub(r"\\\g<0>", body)
    return escape(kept) + "\\" * 2 * (len(text) - len(body))  # or the next tag would be escaped


def say(text: str, *values: object) -> None:
    """Print a line of our own markup, each ``{}`` in it a value that is shown as it is."""
    out.print(text.format(*map(plain, values)), soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; an empty one says so.

    An id is never broken over lines, since it is for copying: in too narrow a terminal each
    row is a block of lines. Where nobody looks (a pipe) it is a line, without a frame.
    """
    cells = [[shown(cell).plain for cell in row] for row in rows]
    if not rows:
        out.print(shown(f"{title}: nothing.", "dim"))
    elif not out.is_terminal:
        _lines(title, columns, cells)
    elif _fits(columns, cells):
        _framed(title, columns, cells)
    else:
        _blocks(title, columns, cells)


def _fits(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether a frame has room for all ids, and some words a line of each text."""
    parts = [_across(column) for column in zip(columns, *rows, strict=True)]
    return sum(parts) + 3 * len(parts) + 1 <= out.width


def _across(cells: Sequence[str]) -> int:
    words = max((cell_len(word) for cell in cells for word in cell.split()), default=0)
    return max(words, min(max(map(cell_len, cells)), _TEXT_WIDTH))


def _framed(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    out.print(shown(title, "italic"), soft_wrap=True)
    drawn = Table(header_style="bold")
    for column, *cells in zip(columns, *rows, strict=True):
        # Rich takes room from the widest column, also where it holds ids.
        drawn.add_column(column, overflow="fold", no_wrap=not any(" " in cell for cell in cells))
    for row in rows:
        drawn.add_row(*map(shown, row))
    out.print(drawn)


def _blocks(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for number, row in enumerate(rows):
        facts("" if number else title, dict(zip(columns, row, strict=True)))


def _lines(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    out.print(shown(title), soft_wrap=True)
    widths = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        padded = (set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True))
        out.print(shown("  ".join(padded).rstrip()), soft_wrap=True)


def facts(title: str, pairs: Mapping[str, object]) -> None:
    """Print names and values under a title, a line each, never broken: they are for copying."""
    out.print(shown(title, "bold"), soft_wrap=True)
    width = max(map(len, pairs), default=0)
    for key, value in pairs.items():
        if str(value):
            out.print(shown(f"  {key:<{width}}  {value}"), soft_wrap=True)


def print_error(error: CaimiError, *, as_json: bool) -> None:
    """Print an error: JSON on standard output, or a panel on standard error."""
    if as_json and not isinstance(error, OutputLost):
        with suppress(OutputLost):
            print_json({"ok": False, "error": error.as_dict()})
            return
    lines = [shown(error.what, "bold")]
    if error.why:
        lines.append(shown(f"Why:  {error.why}"))
    if error.next_step:
        lines.append(shown(f"Next: {error.next_step}"))
    text = Text("\n").join(lines)
    err.print(Panel(text, title=f"[red]{error.code}[/red]", title_align="left"))


def print_usage_error(error: CaimiError) -> None:
    """Print in JSON, on standard error, what is wrong with the words of a command."""
    STDERR.write(json.dumps({"ok": False, "error": error.as_dict()}, indent=2) + "\n")
    STDERR.flush()


class Bytes(DownloadColumn):
    """How many bytes of how many; nothing for a stage that is done at once."""

    def render(self, task: Task) -> Text:
        return super().render(task) if (task.total or 0) > 1 else Text()


class Count(MofNCompleteColumn):
    """How many of how many; nothing for a stage that is done at once."""

    def render(self, task: Task) -> Text:
        return super().render(task) if (task.total or 0) > 1 else Text()


def byte_bars(*, quiet: bool) -> AbstractContextManager[_Report]:
    """Show one bar a stage of long work with bytes, on standard error; nothing when `quiet`."""
    return _bars(None if quiet else Bytes())


def block_bars(*, quiet: bool) -> AbstractContextManager[_Report]:
    """Show what `byte_bars` shows, for work that is counted in blocks."""
    return _bars(None if quiet else Count())


def stage_counts(*, quiet: bool) -> AbstractContextManager[_Report]:
    """Show a line a stage of work that others have to do: how far it is, and for how long."""
    return _bars(None if quiet else Count(), drawn=False)


@contextmanager
def _bars(amount: ProgressColumn | None, *, drawn: bool = True) -> Iterator[_Report]:
    if amount is None:
        yield lambda stage, done, total: None
        return
    long = drawn or err.width >= _WIDE
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        *([BarColumn()] if drawn else []),
        amount,
        *([TimeElapsedColumn()] if long else []),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    tasks: dict[str, Any] = {}
    with bars:

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report
