"""A worker's HTTP API: strict about what comes in, and what goes out verifies."""

import json
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "inference"))

from worker_world import (
    ACCOUNTS,
    URI,
    WALLET,
    digest,
    kept,
    receipts,
    rows,
    served_perceptron,
    worker_of,
)

from caimi import __version__
from caimi.errors.databases import DatabaseUnreachable
from caimi.errors.inference import NotAnchored
from caimi.inference.inclusion import Inclusion
from caimi.inference.receipt_json import receipt_from_document
from caimi.inference.tensors import hash_tensors
from caimi.inference.wire import tensors_from_json, tensors_to_json
from caimi.node import worker_app
from caimi.node.worker_app import create_worker_app
from caimi.persistence import open_receipt_store
from caimi.services.endpoint import Endpoint
from caimi.services.workers import HttpWorker

NONCE = "0x" + "05" * 32


@pytest.fixture
def store(tmp_path: Path):
    opened = open_receipt_store(None, tmp_path / "receipts.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def transport(store, tmp_path: Path) -> httpx.ASGITransport:
    worker = worker_of(served_perceptron(tmp_path), store=store)
    return httpx.ASGITransport(app=create_worker_app(worker, store))


@pytest.fixture
async def http(transport):
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
        yield client


def body(**changes: object) -> dict[str, object]:
    return {"model": str(URI), "nonce": NONCE, "inputs": tensors_to_json(rows(2))} | changes


async def refused(http: httpx.AsyncClient, content: object, **headers: str) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = await http.post("/v1/infer", content=data, headers=headers)
    assert 400 <= answer.status_code < 500
    assert set(answer.json()) >= {"code", "what", "why"}
    return answer.json()["code"]


async def test_a_database_that_does_not_answer_is_told_as_unavailable(http, store, monkeypatch):
    def gone(_receipts: object) -> None:
        raise DatabaseUnreachable("The receipts store cannot be reached.")

    monkeypatch.setattr(store, "add", gone)
    answer = await http.post("/v1/infer", content=json.dumps(body()).encode())
    assert (answer.status_code, answer.json()["code"]) == (503, "CAIMI-X010")


async def test_an_answer_verifies(http):
    answer = (await http.post("/v1/infer", json=body())).json()
    signed = receipt_from_document(answer["receipt"])
    signed.verify(ACCOUNTS)
    assert signed.receipt.output_hash == hash_tensors(tensors_from_json(answer["outputs"]))
    assert signed.receipt.input_hash == hash_tensors(rows(2))
    assert f"0x{signed.receipt.nonce.hex()}" == NONCE


async def test_the_client_gets_what_the_worker_gave(transport, store):
    endpoint = Endpoint("http://worker", transport=transport)
    client = HttpWorker(endpoint)
    outputs, signed = await client.infer(URI, rows(3), bytes(32))
    signed.verify(ACCOUNTS)
    assert np.shape(outputs["scores"]) == (3, 3)
    store.mark_anchored(store.next_batch(URI.ledger))
    assert (await client.inclusion(digest(signed))).holds(digest(signed))
    await endpoint.aclose()


async def test_health_names_the_account(http):
    answer = await http.get("/health")
    assert answer.json() == {"ok": True, "version": __version__, "account": WALLET.name}


async def test_answers_are_counted(http):
    await http.post("/v1/infer", json=body())
    assert "caimi_answers_total 1.0" in (await http.get("/metrics")).text


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 1_000_000, b"9" * 5_000, b'{"model":' * 100_000,
     {}, {"model": str(URI)}, body(more=1), body(model=1), body(model="x" * 300),
     body(nonce=None), body(nonce="0x"), body(nonce="05" * 33), body(nonce="0x" + "05" * 31),
     body(nonce="0x" + "zz" * 32), body(nonce="0x" + "05" * 33)],
)  # fmt: skip
async def test_a_malformed_body_is_refused(http, content):
    assert await refused(http, content) == "CAIMI-N001"


@pytest.mark.parametrize("text", ["", "caimi:x", "caimi:eip155:1:0x12", "file:///etc/passwd"])
async def test_what_is_no_model_is_refused(http, text):
    assert (await refused(http, body(model=text))).startswith("CAIMI-U")


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        (None, "CAIMI-R001"), ([], "CAIMI-R001"), ({"x": 1}, "CAIMI-R001"),
        ({}, "CAIMI-R002"), (tensors_to_json({"y": np.zeros(1)}), "CAIMI-R002"),
        (tensors_to_json({"x": np.zeros((1, 5), np.float32)}), "CAIMI-R002"),
    ],
)  # fmt: skip
async def test_inputs_that_do_not_fit_are_refused(http, inputs, code):
    assert await refused(http, body(inputs=inputs)) == code


async def test_an_unknown_version_is_refused(http):
    assert await refused(http, body(model=str(URI.with_selector("2.0.0")))) == "CAIMI-R007"


async def test_a_body_without_a_length_is_refused(http):
    async def stream():
        yield json.dumps(body()).encode()

    answer = await http.post("/v1/infer", content=stream())
    assert answer.json()["code"] == "CAIMI-N001"
    assert "undeclared" in answer.json()["what"]


@pytest.mark.parametrize("length", ["-1", "x", "1e3", str(worker_app.MAX_INPUT_BYTES + 1)])
async def test_a_body_of_a_wrong_or_too_large_length_is_refused(http, length):
    assert await refused(http, body(), **{"content-length": length}) == "CAIMI-N001"


@pytest.mark.parametrize("digest", ["0x", "ab" * 33, "0x" + "zz" * 32, "0x" + "ab" * 33])
async def test_what_is_no_digest_is_refused(http, digest):
    answer = await http.get(f"/v1/receipts/{digest}")
    assert (answer.status_code, answer.json()["code"]) == (400, "CAIMI-N001")


async def test_a_receipt_is_proved_once_its_batch_is_anchored(http, store):
    (signed,) = receipts(1)
    store.add(kept([signed]))
    path = f"/v1/receipts/0x{digest(signed).hex()}"
    assert (await http.get(path)).json()["code"] == NotAnchored.code
    store.mark_anchored(store.next_batch(URI.ledger))
    assert Inclusion.from_document((await http.get(path)).json()).holds(digest(signed))
