"""The tests' own wide-area network delays, cuts and loses as it is told, and lets nothing out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wide_area import network
from wide_area.network import NoWideArea, WideArea, wide_area

PING = str(Path(__file__).with_name("ping.py"))
SEND = "import socket,sys; s=socket.create_connection((sys.argv[1],5000)); s.sendall(bytes(2**20))"
TAKE = (
    "import socket; s=socket.create_server(('',5000)); c=s.accept()[0]; n=0\n"
    "while d:=c.recv(65536): n+=len(d)\nprint(n)"
)


@pytest.fixture(scope="module")
def wan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WideArea]:
    names = {"near": ["near.example"], "far": ["far.example"], "else": []}
    round_trips = {("near", "far"): 0.2, ("near", "else"): 0.08, ("far", "else"): 0.12}
    with wide_area(tmp_path_factory.mktemp("wan"), names, round_trips) as found:
        yield found


def said_on(wan: WideArea, host: str, *words: str) -> str:
    done = subprocess.run(
        wan.on(host, *words), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ping(wan: WideArea, host: str, other: str, count: int = 20) -> tuple[list[float], list[int]]:
    said = json.loads(
        said_on(wan, host, sys.executable, PING, wan.addresses[other], str(count), "0.01")
    )
    return [each for each in said["milliseconds"] if each is not None], said["order"]


def python(wan: WideArea, host: str, *words: str) -> list[str]:
    return wan.on(host, sys.executable, "-c", *words)


@pytest.mark.parametrize(
    ("one", "other", "milliseconds"),
    [("near", "far", 200), ("far", "near", 200), ("near", "else", 80), ("else", "far", 120)],
)
def test_an_echo_takes_the_pairs_round_trip(
    wan: WideArea, one: str, other: str, milliseconds: float
) -> None:
    took, order = ping(wan, one, other)
    assert len(took) == 20
    assert milliseconds <= min(took) <= milliseconds + 8  # what others do here only adds to it
    assert order == sorted(order)


def test_what_is_cut_comes_through_again_once_it_is_healed(wan: WideArea) -> None:
    wan.cut("near", "else")
    try:
        assert ping(wan, "near", "else", 3)[0] == []
        assert len(ping(wan, "near", "far", 3)[0]) == 3
    finally:
        wan.heal("near", "else")
    assert len(ping(wan, "near", "else", 3)[0]) == 3


def test_a_share_is_lost(wan: WideArea) -> None:
    wan.lose("near", "else", 0.3)
    try:
        came = len(ping(wan, "near", "else", 200)[0])
    finally:
        wan.heal("near", "else")
    assert 60 <= came <= 140  # 98 of 200 are expected, lost on the way there or back


def test_a_connection_takes_its_bytes_over_though_some_are_lost(wan: WideArea) -> None:
    taking = subprocess.Popen(python(wan, "far", TAKE), stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        wan.lose("near", "far", 0.01)
        said_on(wan, "near", sys.executable, "-c", SEND, "far.example")
        assert taking.communicate(timeout=60)[0] == f"{2**20}\n"
    finally:
        wan.heal("near", "far")
        taking.kill()
        taking.wait()


def test_a_host_knows_its_name_itself_and_the_others_and_reaches_nobody_else(
    wan: WideArea,
) -> None:
    assert said_on(wan, "near", "uname", "-n") == "near\n"
    assert ping(wan, "near", "near", 1)[0][0] < 50
    asked = "import socket; print(socket.gethostbyname('far.example'))"
    assert said_on(wan, "near", sys.executable, "-c", asked).strip() == wan.addresses["far"]
    outside = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
    done = subprocess.run(python(wan, "near", outside), capture_output=True, text=True, check=False)
    assert "Network is unreachable" in done.stderr


def test_a_machine_that_forbids_hosts_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "_NAMESPACES", ("--net", "--nonsense"))
    with (
        pytest.raises(NoWideArea, match=r"(?s)nonsense.*run as root"),
        wide_area(tmp_path, {"one": []}, {}),
    ):
        pass
