"""A remote server that lies, dawdles or floods is found out by name, in bounded time and memory."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import onnx_models as models
import pytest
from oip_world import NAME
from worker_world import rows

from caimi.errors.inference import (
    ModelNotRunnable,
    RemoteAnswerInvalid,
    RemoteModelDiffers,
    RemoteRefused,
    RemoteUnreachable,
    RunFailed,
)
from caimi.errors.operations import UsageError
from caimi.inference.oip import rest, wire
from caimi.inference.oip.channel import SERVICE
from caimi.inference.oip.json_fields import LENGTH_HEADER
from caimi.inference.oip.json_metadata import model_info_document
from caimi.inference.oip.messages import InferAnswer, InferRequest, ModelInfo, TensorInfo
from caimi.inference.oip.remote import RemoteEngine

INFO = ModelInfo(
    NAME,
    ("1.0.0",),
    "onnx_onnxv1",
    (TensorInfo("x", "FP32", (-1, 4)),),
    (TensorInfo("scores", "FP32", (-1, 3)), TensorInfo("label", "INT64", (-1,))),
)
Answer = Callable[[InferRequest], InferAnswer]


def honest(request: InferRequest) -> InferAnswer:
    count = len(request.inputs["x"])
    outputs = {"scores": np.zeros((count, 3), np.float32), "label": np.zeros(count, np.int64)}
    return InferAnswer(request.model, "1.0.0", outputs, request.id)


@contextmanager
def http_server(say: Callable[[str, bytes, dict], bytes]) -> Iterator[str]:
    """Answer each connection's one request with raw bytes."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65_536)
            head, _, body = head.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:])
            while len(body) < int(headers.get("content-length", 0)):
                body += connection.recv(65_536)
            try:
                said = say(lines[0].split()[1], body, headers)
            except ValueError:
                return
            try:
                connection.sendall(said)
                if said.endswith(b"..."):
                    while not over.is_set():
                        connection.sendall(b" ")
                        time.sleep(0.05)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def told(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def over_http(info: ModelInfo, answer: Answer) -> Callable[[str, bytes, dict], bytes]:
    def say(path: str, body: bytes, headers: dict) -> bytes:
        if not path.endswith("/infer"):
            return told(json.dumps(model_info_document(info)).encode())
        request = rest.decode_request(NAME, "", body, headers[LENGTH_HEADER.lower()])
        data, length = rest.encode_answer(answer(request), replace(request, binary=True))
        return told(data, f"{LENGTH_HEADER}: {length}")

    return say


@contextmanager
def grpc_server(info: ModelInfo, answer: Answer) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    methods = {
        "ModelMetadata": lambda data, context: wire.model_info_message(info),
        "ModelInfer": lambda data, context: wire.encode_answer(answer(wire.decode_request(data))),
    }
    handlers = {name: grpc.unary_unary_rpc_method_handler(each) for name, each in methods.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture(params=["http", "grpc"])
def lying(request: pytest.FixtureRequest):
    """Make a server of what it says; gives its URL."""
    made = []

    def serve(info: ModelInfo = INFO, answer: Answer = honest) -> str:
        server = (
            http_server(over_http(info, answer))
            if request.param == "http"
            else grpc_server(info, answer)
        )
        made.append(server)
        return server.__enter__()

    yield serve
    for server in made:
        server.__exit__(None, None, None)


@pytest.fixture
def perceptron(tmp_path: Path) -> Path:
    return models.saved(tmp_path, models.perceptron())


@contextmanager
def engine_at(url: str, **options: object) -> Iterator[RemoteEngine]:
    engine = RemoteEngine(url, NAME, **options)
    try:
        yield engine
    finally:
        engine.close()


def test_an_honest_server_is_believed(lying, perceptron):
    with engine_at(lying()) as engine:
        session = engine.load(perceptron)
        assert [str(size) for size in session.inputs[0].shape] == ["rows", "4"]
        assert session.run(rows(2))["label"].tolist() == [0, 0]


def test_without_a_package_the_signature_is_the_servers(lying):
    with engine_at(lying()) as engine:
        session = engine.open()
        assert [spec.shape for spec in session.outputs] == [("?", 3), ("?",)]
        assert list(session.run(rows(2))) == ["scores", "label"]


LIES = {
    "another request's": lambda a: replace(a, id="0" * 16),
    "another model's": lambda a: replace(a, model="other"),
    "an output too few": lambda a: replace(a, outputs={"label": a.outputs["label"]}),
    "an output too many": lambda a: replace(a, outputs=a.outputs | {"z": a.outputs["label"]}),
    "another type": lambda a: replace(
        a, outputs=a.outputs | {"label": a.outputs["label"].astype(np.int32)}
    ),
    "a row too many": lambda a: replace(
        a, outputs={name: np.concatenate([v, v[:1]]) for name, v in a.outputs.items()}
    ),
    "another rank": lambda a: replace(
        a, outputs=a.outputs | {"label": a.outputs["label"][:, None]}
    ),
    "another fixed size": lambda a: replace(
        a, outputs=a.outputs | {"scores": a.outputs["scores"][:, :2]}
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_does_not_fit_is_refused(lying, perceptron, lie):
    with engine_at(lying(answer=lambda request: LIES[lie](honest(request)))) as engine:
        session = engine.load(perceptron)
        with pytest.raises(RemoteAnswerInvalid):
            session.run(rows(2))


OTHERS = {
    "another input": replace(INFO, inputs=(TensorInfo("z", "FP32", (-1, 4)),)),
    "another input's type": replace(INFO, inputs=(TensorInfo("x", "FP64", (-1, 4)),)),
    "another input's size": replace(INFO, inputs=(TensorInfo("x", "FP32", (-1, 5)),)),
    "another input's rank": replace(INFO, inputs=(TensorInfo("x", "FP32", (4,)),)),
    "an unknown type": replace(INFO, inputs=(TensorInfo("x", "FP8", (-1, 4)),)),
    "an input besides": replace(INFO, inputs=(*INFO.inputs, TensorInfo("z", "FP32", (1,)))),
    "an output less": replace(INFO, outputs=INFO.outputs[:1]),
    "an output besides": replace(INFO, outputs=(*INFO.outputs, TensorInfo("z", "FP32", (1,)))),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_model_of_another_signature_is_refused(lying, perceptron, other):
    with engine_at(lying(OTHERS[other])) as engine, pytest.raises(RemoteModelDiffers):
        engine.load(perceptron)


def test_another_models_metadata_is_refused(lying, perceptron):
    with (
        engine_at(lying(replace(INFO, name="other"))) as engine,
        pytest.raises(RemoteAnswerInvalid),
    ):
        engine.load(perceptron)


def test_a_server_that_fails_is_a_failed_run(lying, perceptron):
    def fail(request: InferRequest) -> InferAnswer:
        raise ValueError("broken")

    with engine_at(lying(answer=fail), seconds=5) as engine:
        session = engine.load(perceptron)
        with pytest.raises(RunFailed):
            session.run(rows(1))


def metadata_then(after: bytes) -> Callable[[str, bytes, dict], bytes]:
    plain = over_http(INFO, honest)
    return lambda path, body, headers: (
        after if path.endswith("/infer") else plain(path, body, headers)
    )


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (told(b"{"), RemoteAnswerInvalid),
        (told(b"{}"), RemoteAnswerInvalid),
        (told(b"[" * 100_000), RemoteAnswerInvalid),
        (told(b"{}", f"{LENGTH_HEADER}: 99"), RemoteAnswerInvalid),
        (told(b'{"error":"no such thing"}', status="404 Not Found"), RemoteRefused),
        (told(b"\xff" * 1000, status="500 Oops"), RemoteRefused),
        (told(b"", "Location: http://127.0.0.1:9/", status="302 Found"), RemoteRefused),
        (b"SSH-2.0-x\r\n", RemoteUnreachable),
        (b"", RemoteUnreachable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n...", RemoteUnreachable),
        (b"HTTP/1.1 200 OK\r\nX: ...", RemoteUnreachable),
    ],
)
def test_what_is_no_answer_is_told_by_name_in_time(perceptron, said, error):
    with (
        http_server(metadata_then(said)) as url,
        engine_at(url, seconds=1, max_answer_bytes=1 << 20) as engine,
    ):
        session = engine.load(perceptron)
        began = time.monotonic()
        with pytest.raises(error):
            session.run(rows(1))
        assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (told(bytes(2 << 20)), r"answered more than"),
        (told(gzip.compress(bytes(100)), "Content-Encoding: gzip"), r"compressed"),
    ],
)
def test_what_would_grow_is_not_taken(perceptron, said, why):
    with (
        http_server(metadata_then(said)) as url,
        engine_at(url, max_answer_bytes=1 << 20) as engine,
    ):
        session = engine.load(perceptron)
        with pytest.raises(RemoteAnswerInvalid, match=why):
            session.run(rows(1))


def test_a_flood_over_grpc_is_refused(perceptron):
    def flood(request: InferRequest) -> InferAnswer:
        return replace(honest(request), outputs={"scores": np.zeros((1 << 20, 3), np.float32)})

    with grpc_server(INFO, flood) as url, engine_at(url, max_answer_bytes=1 << 20) as engine:
        session = engine.load(perceptron)
        with pytest.raises(RemoteRefused, match=r"RESOURCE_EXHAUSTED"):
            session.run(rows(1))


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_a_server_that_is_not_there_is_told_by_name(kind, perceptron):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"{kind}://127.0.0.1:{port}"
    with engine_at(url, seconds=2) as engine, pytest.raises(RemoteUnreachable):
        engine.load(perceptron)


def test_a_server_that_stays_silent_is_given_up(perceptron):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for kind in ("http", "grpc"):
            url = f"{kind}://127.0.0.1:{silent.getsockname()[1]}"
            with engine_at(url, seconds=0.5) as engine, pytest.raises(RemoteUnreachable):
                engine.load(perceptron)


@pytest.mark.parametrize("url", ["", "host:1", "ftp://host", "http://", "grpc://", "grpc://h/path"])
def test_what_is_no_servers_url_is_refused(url):
    with pytest.raises(UsageError):
        RemoteEngine(url, NAME)


def test_a_file_that_is_no_model_is_refused_before_the_server_is_asked(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with engine_at("http://127.0.0.1:9") as engine, pytest.raises(ModelNotRunnable):
        engine.load(tmp_path / "model.onnx")
