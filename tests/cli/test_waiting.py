"""A command says what it waits for, and on Ctrl-C what was in flight and how to go on."""

from __future__ import annotations

import json

import pytest
import typer
from rich.progress import Progress

from caimi.cli.options import guarded
from caimi.cli.output import Bytes, Count
from caimi.cli.waiting import IN_FLIGHT, doing, progress_bars, stages


@pytest.fixture(autouse=True)
def nothing_in_flight() -> None:
    IN_FLIGHT.doing = ""


def test_in_a_pipe_each_stage_is_one_line_of_no_color(capfd: pytest.CaptureFixture[str]) -> None:
    with stages(quiet=False) as progress:
        for done in range(3):
            progress("finality on eip155:1", 7 + done, 9)
        progress("delivery to [red]x", 0, 1)
        progress("delivery to [red]x", 1, 1)
        progress("done before", 1, 1)
        progress("packet sent", 0, 0)
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "finality on eip155:1 7 of 9 …",
        "delivery to [red]x …",
        "packet sent",
    ]


def test_where_json_was_asked_for_nothing_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with stages(quiet=True) as progress:
        progress("finality", 7, 9)
        assert IN_FLIGHT.doing == "finality"
        progress("finality", 9, 9)
        assert IN_FLIGHT.doing == ""
    assert capfd.readouterr() == ("", "")


def interrupted() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("reading", [True, False])
def test_ctrl_c_says_what_was_in_flight_and_that_running_it_again_goes_on(
    as_json: bool, reading: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    doing("Deploying the gateway")
    with pytest.raises(typer.Exit) as ended:
        guarded(as_json, interrupted, reading=reading)
    assert ended.value.exit_code == 130
    told = capfd.readouterr()
    text = json.loads(told.out)["error"]["what"] if as_json else told.err
    assert "in flight: Deploying the gateway." in text.replace("\n", " ")
    whole = " ".join((told.out + told.err).replace("│", " ").split())
    assert ("Run the same command again" in whole) is not reading
    assert ("Nothing was being changed" in whole) is reading


def test_of_ones_own_work_ctrl_c_says_which_was_in_flight(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with progress_bars(quiet=False) as progress:
        progress("seal", 5, 9)
        assert IN_FLIGHT.doing == "seal"
        progress("seal", 9, 9)
        assert IN_FLIGHT.doing == ""
        progress("publish", 0, 1)
        assert IN_FLIGHT.doing == "publish"
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("total", "bytes_told", "count_told"),
    [(None, "", ""), (1, "", ""), (18_163, "9.0/18.2 kB", " 9000/18163")],
)
def test_only_what_has_many_is_counted(total: int | None, bytes_told: str, count_told: str) -> None:
    with Progress(disable=True) as progress:
        progress.add_task("stage", total=total, completed=9_000 if total == 18_163 else 0)
    (task,) = progress.tasks
    assert (Bytes().render(task).plain, Count().render(task).plain) == (bytes_told, count_told)


def test_ctrl_c_before_anything_was_begun_just_stops(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        guarded(True, interrupted)
    error = json.loads(capfd.readouterr().out)["error"]
    assert (error["code"], error["what"]) == ("CAIMI-C092", "Stopped.")
