"""Logs: what a line is about goes with it, whoever writes it and in either format."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from caimi.logs import JsonFormatter, TextFormatter, about, fields, logger


@pytest.fixture(autouse=True)
def _all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)  # also where other tests have switched logging off


def lines(caplog: pytest.LogCaptureFixture, form: logging.Formatter) -> list[str]:
    return [form.format(record) for record in caplog.records]


def test_a_line_for_people_ends_with_what_it_is_about(caplog: pytest.LogCaptureFixture) -> None:
    with about(client="caimi-1-0", sequences=(3, 4)):
        logger("caimi.x").warning("Refused %d", 2)
    logger("caimi.x").warning("Nothing more")
    first, second = lines(caplog, TextFormatter())
    assert first.endswith(" WARNING caimi.x: Refused 2 [client=caimi-1-0 sequences=3,4]")
    assert second.endswith(" WARNING caimi.x: Nothing more")


@pytest.mark.parametrize("broken", ["\n", "\r", "\x1b[2J", "\x85", "\u2028", "\u202e"])
def test_what_a_peer_chose_breaks_no_line_and_shows_no_other_field(
    caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    with about(peer=f'Acme/x{broken}9 ERROR caimi: No] [client="a"', request="ab12", all=("a b",)):
        logger("caimi.x").warning("Refused")
    (line,) = lines(caplog, TextFormatter())
    assert line.isprintable()
    assert ' Refused [peer="Acme/x\N{REPLACEMENT CHARACTER}' in line
    assert line.endswith('9 ERROR caimi: No] [client=\\"a\\"" request=ab12 all="a b"]')


def test_what_a_peer_chose_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    with about(peer="x" * 100_000):
        logger("caimi.x").warning("Refused")
    assert len(lines(caplog, TextFormatter())[0]) < 400


def test_a_json_line_has_what_it_is_about_as_members(caplog: pytest.LogCaptureFixture) -> None:
    with about(request="ab12", message="not this"):
        logger("caimi.x").error('Line one\nand "two"')
    (line,) = lines(caplog, JsonFormatter())
    found = json.loads(line)
    assert "\n" not in line
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "ERROR",
        "logger": "caimi.x",
        "message": 'Line one\nand "two"',
        "request": "ab12",
    }


def test_an_exception_is_one_json_line_too(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("of no use")
    except ValueError:
        logger("caimi.x").exception("It failed")
    (line,) = lines(caplog, JsonFormatter())
    assert "ValueError: of no use" in json.loads(line)["exception"]


def test_lines_of_others_are_written_as_well(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("httpx").warning("GET")
    assert json.loads(lines(caplog, JsonFormatter())[0])["message"] == "GET"


async def test_what_is_done_at_once_is_told_apart() -> None:
    async def work(number: int) -> dict[str, object]:
        with about(sequence=number):
            await asyncio.sleep(0)
            return dict(fields())

    with about(client="a"):
        found = await asyncio.gather(work(1), work(2))
    assert found == [{"client": "a", "sequence": 1}, {"client": "a", "sequence": 2}]
    assert fields() == {}
