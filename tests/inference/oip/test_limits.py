"""What one caller can cost is bounded, and what is wrong is told in the protocol's form."""

import json
import socket
import threading
import time
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as over_grpc
from oip_world import NAME, serving
from test_worker import SlowSession
from worker_world import URI, rows, served_perceptron

from caimi.errors.databases import DatabaseUnreachable
from caimi.errors.operations import ConfigInvalid
from caimi.inference.oip.channel import SERVICE
from caimi.inference.oip.messages import InferRequest
from caimi.inference.oip.rest import encode_request
from caimi.inference.oip.service import OipService
from caimi.inference.worker import ServedModel
from caimi.node import oip_grpc, worker_app
from caimi.node.oip_grpc import create_grpc_server

INFER = f"/v2/models/{NAME}/versions/1.0.0/infer"


def body(count: int = 1) -> tuple[bytes, dict[str, str]]:
    data, length = encode_request(InferRequest(NAME, "1.0.0", rows(count)))
    return data, {"Inference-Header-Content-Length": str(length)}


@pytest.fixture
def http(served):
    with httpx.Client(base_url=f"http://{served.http}", trust_env=False) as client:
        yield client


def test_an_error_is_the_protocols_object_with_our_fields(http):
    answer = http.post(INFER, content=b"{")
    said = answer.json()
    assert answer.status_code == 400
    assert said["code"] == "CAIMI-R001"
    assert said["error"].startswith("CAIMI-R001: The body is not JSON")
    assert set(said) == {"code", "error", "what", "why", "next"}


@pytest.mark.parametrize("version", ["", "/versions/9.0.0", "/versions/%2e%2e"])
def test_an_unknown_model_is_not_found(http, version):
    name = NAME if version else "resnet"
    for path in (f"/v2/models/{name}{version}", f"/v2/models/{name}{version}/ready"):
        assert http.get(path).status_code == 404
    assert (
        http.post(f"/v2/models/{name}{version}/infer", content=b'{"inputs":[]}').status_code == 404
    )


@pytest.mark.parametrize("length", ["-1", "x", "99999999999", str((64 << 20) + 1)])
def test_a_body_of_a_wrong_or_too_large_length_is_refused(served, length):
    host, port = served.http.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(
            f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert b" 400 " in raw.recv(10_000).split(b"\r\n")[0]


def test_a_body_without_a_length_is_refused(http):
    said = http.post(INFER, content=iter([b"{}"])).json()
    assert said["code"] == "CAIMI-N001"
    assert said["error"].startswith("CAIMI-N001: A body of undeclared bytes")


def test_a_message_over_the_bound_is_refused(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(worker_app, "MAX_INPUT_BYTES", 1 << 20)
    with serving(tmp_path, served_perceptron(tmp_path)) as served:
        client = over_grpc.InferenceServerClient(served.grpc)
        entry = over_grpc.InferInput("x", [70_000, 4], "FP32")
        entry.set_data_from_numpy(np.zeros((70_000, 4), np.float32))
        with pytest.raises(over_grpc.InferenceServerException, match=r"RESOURCE_EXHAUSTED"):
            client.infer(NAME, [entry], model_version="1.0.0")
        assert client.is_server_live()
        client.close()


def test_a_database_that_does_not_answer_is_told_as_unavailable(tmp_path: Path, monkeypatch):
    def gone(_receipts: object) -> None:
        raise DatabaseUnreachable("The receipts store cannot be reached.")

    with serving(tmp_path, served_perceptron(tmp_path)) as served:
        monkeypatch.setattr(served.store, "add", gone)
        data, headers = body()
        with httpx.Client(base_url=f"http://{served.http}", trust_env=False) as client:
            answer = client.post(INFER, content=data, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "CAIMI-X010")
        with over_grpc.InferenceServerClient(served.grpc) as client:
            entry = over_grpc.InferInput("x", [1, 4], "FP32")
            entry.set_data_from_numpy(np.zeros((1, 4), np.float32))
            with pytest.raises(over_grpc.InferenceServerException, match=r"UNAVAILABLE"):
                client.infer(NAME, [entry], model_version="1.0.0")


def test_what_is_no_message_is_refused(served):
    with grpc.insecure_channel(served.grpc) as channel:
        for method in ("ModelInfer", "ModelMetadata", "ModelReady"):
            call = channel.unary_unary(f"/{SERVICE}/{method}")
            with pytest.raises(grpc.RpcError) as refused:
                call(b"\xff" * 100, timeout=10)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert refused.value.details().startswith("CAIMI-R001")


def test_requests_over_the_limit_are_refused_and_places_come_back(tmp_path: Path):
    slow = SlowSession()
    with serving(tmp_path, ServedModel(URI, bytes(32), slow), at_once=1) as served:
        data, headers = body()
        with httpx.Client(base_url=f"http://{served.http}", trust_env=False) as client:
            answers = []
            first = threading.Thread(
                target=lambda: answers.append(client.post(INFER, content=data, headers=headers))
            )
            first.start()
            assert slow._begun.acquire(timeout=10)
            assert client.post(INFER, content=data, headers=headers).status_code == 503
            assert client.get(f"/v2/models/{NAME}/versions/1.0.0/ready").status_code == 503
            assert client.get("/v2/health/live").status_code == 200
            with grpc.insecure_channel(served.grpc) as channel:
                call = channel.unary_unary(f"/{SERVICE}/ModelReady")
                with pytest.raises(grpc.RpcError) as refused:
                    call(_ready(), timeout=10)
            slow.gate.set()
            first.join(20)
            assert answers[0].status_code == 200
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert client.post(INFER, content=data, headers=headers).status_code == 200


def _ready() -> bytes:
    name = NAME.encode()
    return b"\x0a" + bytes([len(name)]) + name + b"\x12\x051.0.0"


def test_a_sender_that_dribbles_is_cut_off_and_holds_one_place(tmp_path: Path):
    model = served_perceptron(tmp_path)
    with serving(tmp_path, model, body_seconds=2, bodies=1) as served:
        host, port = served.http.split(":")
        data, headers = body()
        with socket.create_connection((host, int(port)), timeout=20) as dribbling:
            dribbling.sendall(
                f"POST {INFER} HTTP/1.1\r\nHost: x\r\nConnection: close"
                "\r\nContent-Length: 1000\r\n\r\n{{".encode()
            )
            told = b"".join(iter(lambda: dribbling.recv(10_000), b""))
            assert b" 400 " in told.split(b"\r\n")[0]
            assert b"CAIMI-N001" in told
        with httpx.Client(base_url=f"http://{served.http}", trust_env=False) as client:
            assert client.post(INFER, content=data, headers=headers).status_code == 200


def test_a_sender_that_dribbles_loses_its_place_to_who_comes_after(tmp_path: Path):
    with serving(tmp_path, served_perceptron(tmp_path), bodies=1) as served:
        host, port = served.http.split(":")
        data, headers = body()
        with (
            socket.create_connection((host, int(port)), timeout=20) as dribbling,
            httpx.Client(base_url=f"http://{served.http}", trust_env=False) as client,
        ):
            dribbling.sendall(
                f"POST {INFER} HTTP/1.1\r\nHost: x\r\nConnection: close"
                "\r\nContent-Length: 1000\r\n\r\n{{".encode()
            )
            time.sleep(0.2)
            assert client.post(INFER, content=data, headers=headers).status_code == 200
            told = b"".join(iter(lambda: dribbling.recv(10_000), b""))
            assert b" 503 " in told.split(b"\r\n")[0]


def test_over_grpc_senders_that_dribble_lose_their_places_and_are_cut_off(
    tmp_path: Path, monkeypatch
):
    """Every call that is begun and never ends, as many as there are places, on one connection."""
    monkeypatch.setattr(oip_grpc, "MESSAGE_SECONDS", 1.5)
    with (
        serving(tmp_path, served_perceptron(tmp_path), bodies=4) as served,
        grpc.insecure_channel(served.grpc) as channel,
    ):
        never = threading.Event()

        def nothing():
            never.wait(20)
            yield from ()

        begin = channel.stream_unary(f"/{SERVICE}/ModelInfer")
        dribbling = [begin.future(nothing(), timeout=20) for _ in range(80)]
        time.sleep(0.3)
        with over_grpc.InferenceServerClient(served.grpc) as client:
            assert client.is_server_live()
            entry = over_grpc.InferInput("x", [1, 4], "FP32")
            entry.set_data_from_numpy(rows(1)["x"])
            assert client.infer(NAME, [entry], model_version="1.0.0")
        codes = {call.exception(timeout=10).code() for call in dribbling}
        never.set()
        assert codes <= {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT}


def test_a_worker_that_breaks_says_nothing_of_how(tmp_path: Path):
    class Broken(SlowSession):
        def run(self, inputs):
            raise ZeroDivisionError("a secret of ours")

    with serving(tmp_path, ServedModel(URI, bytes(32), Broken())) as served:
        data, headers = body()
        answer = httpx.post(f"http://{served.http}{INFER}", content=data, headers=headers)
        assert answer.status_code == 500
        assert "secret" not in answer.text
        with over_grpc.InferenceServerClient(served.grpc) as client:
            entry = over_grpc.InferInput("x", [1, 4], "FP32")
            entry.set_data_from_numpy(rows(1)["x"])
            with pytest.raises(over_grpc.InferenceServerException) as refused:
                client.infer(NAME, [entry], model_version="1.0.0")
        assert "INTERNAL" in str(refused.value)
        assert "secret" not in str(refused.value)


async def test_a_port_that_is_taken_is_a_named_error(served, tmp_path: Path):
    with pytest.raises(ConfigInvalid, match=r"cannot listen"):
        create_grpc_server(
            OipService(served.worker), served.grpc, at_once=1, max_message_bytes=1, answered=int
        )


def test_json_and_bytes_say_the_same(http):
    plain = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [[1, 2, 3, 4]]}],
        "outputs": [{"name": "label"}],
    }
    answer = http.post(INFER, content=json.dumps(plain)).json()
    assert answer["outputs"][0]["datatype"] == "INT64"
    assert answer["outputs"][0]["shape"] == [1]
    assert (answer["model_name"], answer["model_version"]) == (NAME, "1.0.0")
