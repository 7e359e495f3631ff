"""Showing what a command waits for, and on Ctrl-C what was in flight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from caimi.cli.output import byte_bars, err, shown, stage_counts

_Report: TypeAlias = Callable[[str, int, int | None], None]


class InFlight:
    """What this program, which runs one command, was doing last."""

    def __init__(self) -> None:
        self.doing = ""

    def note(self, stage: str, done: int, total: int | None) -> None:
        """Take note of a stage of the work; of one that is done, that it is not in flight."""
        if total != 0:
            self.doing = "" if done == total else stage


IN_FLIGHT: Final = InFlight()


@contextmanager
def stages(*, quiet: bool) -> Iterator[_Report]:
    """Show each stage of what others have to do: a line that counts, in a pipe one that stays.

    A stage is told as (what is waited for, how much of it there is, how much it takes); of what
    takes nothing there is nothing to wait for: it is a remark.
    """
    told: set[str] = set()
    with stage_counts(quiet=quiet) as counts:

        def report(stage: str, done: int, total: int | None) -> None:
            IN_FLIGHT.note(stage, done, total)
            if quiet:
                return
            new = stage not in told
            told.add(stage)
            if total == 0:
                err.print(shown(stage), soft_wrap=True)
            elif err.is_terminal:
                counts(stage, done, total)
            elif new and done != total:
                amount = f" {done} of {total}" if total is not None and total > 1 else ""
                err.print(shown(f"{stage}{amount} …"), soft_wrap=True)

        yield report


@contextmanager
def progress_bars(*, quiet: bool) -> Iterator[_Report]:
    """Show one bar a stage of one's own work with bytes, on standard error; none when `quiet`."""
    with byte_bars(quiet=quiet) as bars:

        def report(stage: str, done: int, total: int | None) -> None:
            IN_FLIGHT.note(stage, done, total)
            bars(stage, done, total)

        yield report


def doing(what: str) -> None:
    """Tell what is being done now, as a line of its own."""
    IN_FLIGHT.doing = what
    err.print(shown(f"{what} …", "dim"), soft_wrap=True)
