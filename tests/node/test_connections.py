"""Attacks on our HTTP services over raw connections: what a sender can cost is bounded."""

import asyncio
import json
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live import connected, live, said
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from test_node_app import fresh_node

sys.path.insert(0, str(Path(__file__).parent.parent / "inference"))

from worker_world import served_perceptron, worker_of

from caimi.config import Config
from caimi.errors.node import RequestInvalid
from caimi.node import connections, received
from caimi.node.app import create_app
from caimi.node.bodies import Bodies
from caimi.node.connections import Peers, peer_of
from caimi.node.http import service
from caimi.node.received import BoundBodies
from caimi.node.relaying import RelayingPolicy, serve_quotes
from caimi.node.worker_app import create_worker_app
from caimi.persistence import open_receipt_store

PATHS = {"node": "/v1/shares", "worker": "/v1/infer", "relayer": "/v1/quote", "watcher": "/metrics"}


@pytest.fixture(params=list(PATHS))
def kind(request) -> str:
    return request.param


@pytest.fixture
def app(kind: str, tmp_path: Path):
    if kind == "node":
        yield create_app(fresh_node(tmp_path))
    elif kind == "worker":
        store = open_receipt_store(None, tmp_path / "receipts.sqlite")
        worker = worker_of(served_perceptron(tmp_path), store=store)
        yield create_worker_app(worker, store, bodies=Bodies(4))
        store.close()
    else:
        made = service("CAIMI", CollectorRegistry())
        if kind == "relayer":
            serve_quotes(made, {}, {}, RelayingPolicy(Config(), {}))
        yield made


@pytest.fixture
def path(kind: str) -> str:
    return PATHS[kind]


def resident() -> int:
    """Bytes of this process' memory that were ever in use at once."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    )
    return int(line.split()[1]) << 10


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


@pytest.mark.parametrize(
    "headers",
    [
        ("Transfer-Encoding: chunked",),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
    ],
)
def test_a_body_without_end_is_cut_off_wherever_it_is_sent(app, path, headers, monkeypatch):
    """With Content-Length beside Transfer-Encoding a node once read 400 MiB."""
    monkeypatch.setattr(connections, "_REFUSED_SECONDS", 0.3)
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with live(app) as port, connected(port) as raw:
        before, sent = resident(), 0
        raw.sendall(head(path, *headers))
        try:
            while sent < 64 << 20:
                sent += raw.send(chunk)
        except OSError:
            pass
        assert sent < 16 << 20
        assert resident() - before < 16 << 20
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200


@pytest.mark.parametrize("sent", ["", "POST /v1/shares HTTP/1.1\r\nHost: x\r\n", "body"])
def test_halves_of_requests_keep_nobody_out(app, path, sent):
    """512 of them once gave 503 to everyone."""
    half = head(path, "Content-Length: 100") + b"{" if sent == "body" else sent.encode()
    with live(app, Peers(60, 50)) as port:
        held = []
        for _ in range(120):
            held.append(connected(port))
            held[-1].sendall(half)
        for _ in range(3):
            assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200
        for raw in held:
            raw.close()


def test_who_sends_a_head_slowly_is_cut_off(app, path, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    with live(app) as port, connected(port) as silent, connected(port) as slow:
        slow.sendall(head(path)[:-2])
        began = time.monotonic()
        for _ in range(40):
            try:
                slow.sendall(b"X: y\r\n")
            except OSError:
                break
            time.sleep(0.1)
        assert 0.3 < time.monotonic() - began < 3.5
        assert (said(slow), said(silent)) == (b"", b"")


def test_who_sends_a_body_slowly_is_cut_off_by_name(app, kind, path, monkeypatch):
    if kind in ("relayer", "watcher"):
        return  # they take no bodies: the answer does not wait for one
    monkeypatch.setattr(received.BoundBodies.__init__, "__defaults__", (0.5,))
    with live(app) as port, connected(port) as slow:
        slow.sendall(head(path, "Content-Length: 1000") + b"{")
        began = time.monotonic()
        answer = said(slow)
        assert time.monotonic() - began < 5
        assert b" 408 " in answer.split(b"\r\n")[0]
        assert b"CAIMI-N020" in answer


def test_who_does_not_end_a_request_that_was_answered_is_cut_off(app, path, monkeypatch):
    monkeypatch.setattr(connections, "_REFUSED_SECONDS", 0.3)
    with live(app) as port, connected(port) as raw:
        raw.sendall(head(path, "Content-Length: 99999999999"))
        began = time.monotonic()
        assert b" 400 " in said(raw).split(b"\r\n")[0]
        assert time.monotonic() - began < 5


def test_who_takes_no_answer_is_cut_off_and_who_takes_it_slowly_is_not(monkeypatch):
    monkeypatch.setattr(connections, "WRITE_SECONDS", 0.5)
    app = service("CAIMI", CollectorRegistry())

    @app.get("/large")
    async def large() -> Response:
        return Response(bytes(16 << 20))

    with live(app) as port, connected(port) as idle, connected(port) as slow:
        idle.sendall(head("/large", "Connection: close", method="GET"))
        slow.sendall(head("/large", "Connection: close", method="GET"))
        began, taken = time.monotonic(), 0
        while part := slow.recv(1 << 20):
            taken += len(part)
            time.sleep(0.02 if time.monotonic() - began < 1.5 else 0)
        assert taken > 16 << 20
        time.sleep(max(0.0, began + 1.5 - time.monotonic()))
        assert len(said(idle)) < 16 << 20


def test_an_upgrade_leads_out_of_no_bound(app):
    with live(app) as port, connected(port) as raw:
        raw.sendall(
            head(
                "/metrics",
                "Connection: Upgrade, close",
                "Upgrade: websocket",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version: 13",
                method="GET",
            )
        )
        assert said(raw).startswith(b"HTTP/1.1 200")


def test_a_long_head_is_refused(app, path):
    with live(app) as port, connected(port) as raw:
        raw.sendall(head(path, "X: " + "y" * 30_000))
        assert b" 200 " not in said(raw).split(b"\r\n")[0]


def test_a_whole_request_is_dropped_for_nobody(app):
    """Many that wait without a word end before one that is being answered."""
    with live(app, Peers(8, 8)) as port:
        for _ in range(5):
            held = [connected(port) for _ in range(30)]
            assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200
            for raw in held:
                raw.close()


class Waiting:
    """What `Peers` asks of a connection."""

    def __init__(self, host: str, waited_for: bool = True) -> None:
        self.client = (host, 1)
        self.is_waited_for = waited_for
        self.dropped = False

    def drop(self) -> None:
        self.dropped = True


def test_the_oldest_of_the_largest_peer_goes_first():
    peers = Peers(4, 4)
    small, *large = [Waiting("10.0.0.1"), *(Waiting("10.0.0.2") for _ in range(3))]
    for each in (small, *large):
        assert peers.admit(each)
    assert peers.admit(Waiting("10.0.0.3"))
    assert [each.dropped for each in (small, *large)] == [False, True, False, False]


def test_one_peer_does_not_have_all_places_even_with_whole_requests():
    peers = Peers(4, 3)
    for _ in range(3):
        assert peers.admit(Waiting("10.0.0.1", waited_for=False))
    assert not peers.admit(Waiting("10.0.0.1"))
    other = Waiting("10.0.0.2", waited_for=False)
    assert peers.admit(other)
    assert not peers.admit(Waiting("10.0.0.3"))
    peers.forget(other)
    assert peers.admit(Waiting("10.0.0.3"))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_a_peer_is_an_address_or_a_network(one, other, same):
    assert (peer_of((one, 1)) == peer_of((other, 2))) is same


MOST = 1000
LENGTHS = st.one_of(
    st.integers(-5, 2000).map(str),
    st.sampled_from(["", "1e3", "0x10", "+5", "5 ", "5, 5", "²", "9" * 5000, "00000005"]),
)
HEADERS = st.lists(
    st.one_of(
        st.tuples(st.just("content-length"), LENGTHS),
        st.tuples(
            st.just("transfer-encoding"),
            st.sampled_from(["chunked", "identity", "gzip, chunked", "", "CHUNKED"]),
        ),
        st.tuples(st.just("expect"), st.just("100-continue")),
    ),
    max_size=3,
)


@given(
    HEADERS, st.lists(st.binary(max_size=400), max_size=8), st.sampled_from(["POST", "PUT", "GET"])
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_no_more_is_read_than_the_bound_whatever_is_declared_and_sent(headers, parts, method):
    """Whatever a server in front makes of the headers: the application counts for itself."""
    read, refused = [], []

    async def application(scope, receive, send):
        while True:
            message = await receive()
            read.append(message["body"])
            if not message["more_body"]:
                return

    def refuse(request: Request, error: Exception) -> Response:
        refused.append(error)
        return Response(status_code=400)

    pending = [*parts, b""]

    async def receive():
        part = pending.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(pending)}

    async def send(_message):
        pass

    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }
    try:
        asyncio.run(BoundBodies(application, MOST, refuse)(scope, receive, send))
    except RequestInvalid:
        refused.append(None)
    total = sum(map(len, read))
    lengths = [value for name, value in headers if name == "content-length"]
    assert total <= MOST
    if any(name == "transfer-encoding" for name, _ in headers) or len(lengths) > 1:
        assert (total, len(refused)) == (0, 1)
    elif lengths and total:
        assert total <= int(lengths[0])


@given(HEADERS, st.lists(st.integers(1, 3000), max_size=6), st.booleans())
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_over_the_wire_too(running, headers, chunks, ended):
    """Header combinations and chunkings against the running service, which answers afterwards."""
    port, most_read = running
    lines = [f"{name}: {value}" for name, value in headers]
    body = b"".join(f"{size:x}\r\n".encode() + b" " * size + b"\r\n" for size in chunks)
    with connected(port, 5) as raw:
        try:
            raw.sendall(
                "\r\n".join(["POST /read HTTP/1.1", "Host: x", *lines, "", ""]).encode("latin-1")
            )
            raw.sendall(body + (b"0\r\n\r\n" if ended else b""))
            raw.shutdown(socket.SHUT_WR)
            said(raw)
        except OSError:
            pass
    assert max(most_read, default=0) <= MOST
    assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 200


@pytest.fixture(scope="module")
def running():
    app, read = service("CAIMI", CollectorRegistry(), MOST), []

    @app.post("/read")
    async def take(request: Request) -> Response:
        total = 0
        async for part in request.stream():
            total += len(part)
            read.append(total)
        return Response(json.dumps(total))

    with live(app) as port:
        yield port, read
