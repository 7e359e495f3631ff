"""The stock client of the protocol calls a licensed model, and knows nothing of CAIMI."""

import re
import secrets
from importlib.metadata import version

import httpx
import numpy as np
import pytest
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from oip_world import NAME, Served
from tritonclient.utils import InferenceServerException
from worker_world import ACCOUNTS, rows

from caimi.inference.receipt import SignedReceipt
from caimi.inference.receipt_json import receipt_from_json
from caimi.inference.tensors import hash_tensors

PERCEPTRON, TEXTS, HALVES, FAILING, BRAIN, OPEN = (f"{n}.0.0" for n in range(1, 7))


KEPT = []
"""The stock client over HTTP must end in the thread that it began in: nothing may collect it."""


class Stock:
    """tritonclient over one of the two transports."""

    def __init__(self, served: Served, kind: str) -> None:
        self.module = {"http": over_http, "grpc": over_grpc}[kind]
        self.client = self.module.InferenceServerClient(getattr(served, kind))
        if kind == "http":
            KEPT.append(self.client)
        self.kind = kind

    def infer(self, version: str, inputs: dict, names=(), *, binary=True, name=NAME, **options):
        entries = []
        for key, value in inputs.items():
            kind = {"O": "BYTES"}.get(value.dtype.kind) or {
                "float32": "FP32", "float16": "FP16", "int64": "INT64", "float64": "FP64",
            }[value.dtype.name]  # fmt: skip
            entry = self.module.InferInput(key, list(value.shape), kind)
            if self.kind == "http":
                entry.set_data_from_numpy(value, binary_data=binary)
            else:
                entry.set_data_from_numpy(value)
            entries.append(entry)
        outputs = [
            self.module.InferRequestedOutput(key, binary_data=binary)
            if self.kind == "http"
            else self.module.InferRequestedOutput(key)
            for key in names
        ]
        return self.client.infer(
            name, entries, model_version=version, outputs=outputs or None, **options
        )

    def receipt(self, result) -> SignedReceipt | None:
        said = result.get_response()
        if self.kind == "http":
            text = said.get("parameters", {}).get("caimi_receipt")
        else:
            text = said.parameters["caimi_receipt"].string_param or None
        return None if text is None else receipt_from_json(text)


@pytest.fixture(scope="module", params=["http", "grpc"])
def stock(served, request: pytest.FixtureRequest):
    opened = Stock(served, request.param)
    yield opened
    opened.client.close()


def test_server_and_models_say_that_they_are_there(stock):
    assert stock.client.is_server_live()
    assert stock.client.is_server_ready()
    assert stock.client.is_model_ready(NAME, PERCEPTRON)
    assert not stock.client.is_model_ready(NAME, "9.0.0")
    assert not stock.client.is_model_ready("resnet", "1")


def test_the_server_says_what_it_is(stock):
    if stock.kind == "http":
        said = stock.client.get_server_metadata()
    else:
        said = stock.client.get_server_metadata(as_json=True)
    assert (said["name"], said["version"]) == ("caimi", version("caimi"))
    assert said["extensions"] == ["binary_tensor_data", "caimi_receipt"]


def test_the_signature_is_the_models(stock):
    options = {} if stock.kind == "http" else {"as_json": True}
    said = stock.client.get_model_metadata(NAME, PERCEPTRON, **options)
    assert (said["name"], said["versions"], said["platform"]) == (NAME, [PERCEPTRON], "onnx_onnxv1")
    shapes = [(e["name"], e["datatype"], list(map(int, e["shape"]))) for e in said["outputs"]]
    assert shapes == [("scores", "FP32", [-1, 3]), ("label", "INT64", [-1])]
    assert [list(map(int, e["shape"])) for e in said["inputs"]] == [[-1, 4]]


@pytest.mark.parametrize("binary", [True, False])
def test_the_answer_is_the_models(stock, served, binary):
    inputs = rows(5)
    result = stock.infer(PERCEPTRON, inputs, ["scores", "label"], binary=binary)
    scores, label = result.as_numpy("scores"), result.as_numpy("label")
    assert (scores.dtype, scores.shape, label.dtype) == (np.float32, (5, 3), np.int64)
    np.testing.assert_allclose(scores.sum(axis=1), np.ones(5), rtol=1e-5)
    np.testing.assert_array_equal(scores.argmax(axis=1), label)


def test_without_named_outputs_all_come(stock):
    result = stock.infer(PERCEPTRON, rows(2))
    assert result.as_numpy("label").shape == (2,)
    assert result.as_numpy("scores").shape == (2, 3)


def test_only_the_outputs_asked_for_come(stock):
    result = stock.infer(PERCEPTRON, rows(2), ["label"])
    assert result.as_numpy("label").shape == (2,)
    assert result.as_numpy("scores") is None


@pytest.mark.parametrize("binary", [True, False])
def test_texts_pass_unchanged(stock, binary):
    texts = np.array([["a", "é\U0001f600"], ["", "\0"]], dtype=object)
    result = stock.infer(TEXTS, {"x": texts}, ["y"], binary=binary)
    found = [t if isinstance(t, str) else t.decode() for t in result.as_numpy("y").ravel()]
    assert found == list(texts.ravel())


def test_halves_and_open_ranks_pass_unchanged(stock):
    halves = np.array([1.5, -2, np.inf], np.float16)
    assert stock.infer(HALVES, {"x": halves}).as_numpy("y").tobytes() == halves.tobytes()
    cube = np.zeros((2, 1, 3), np.float32)
    assert stock.infer(OPEN, {"x": cube}).as_numpy("y").shape == cube.shape


def test_an_id_comes_back(stock):
    result = stock.infer(PERCEPTRON, rows(1), request_id="mine 7")
    said = result.get_response()
    assert (said["id"] if stock.kind == "http" else said.id) == "mine 7"


def test_a_receipt_comes_to_those_who_give_a_nonce(stock):
    inputs, nonce = rows(3), secrets.token_bytes(32)
    result = stock.infer(PERCEPTRON, inputs, parameters={"caimi_nonce": f"0x{nonce.hex()}"})
    signed = stock.receipt(result)
    signed.verify(ACCOUNTS)
    outputs = {name: result.as_numpy(name) for name in ("scores", "label")}
    said = signed.receipt
    assert said.nonce == nonce
    assert (said.input_hash, said.output_hash) == (hash_tensors(inputs), hash_tensors(outputs))


def test_a_receipt_comes_to_those_who_ask_and_to_nobody_else(stock):
    signed = stock.receipt(stock.infer(PERCEPTRON, rows(1), parameters={"caimi_receipt": True}))
    signed.verify(ACCOUNTS)
    assert stock.receipt(stock.infer(PERCEPTRON, rows(1))) is None


@pytest.mark.parametrize(
    ("version", "inputs", "options", "code"),
    [
        (PERCEPTRON, {"y": rows(1)["x"]}, {}, "CAIMI-R002"),
        (PERCEPTRON, {"x": np.zeros((1, 5), np.float32)}, {}, "CAIMI-R002"),
        (PERCEPTRON, {"x": np.zeros((1, 4), np.float64)}, {}, "CAIMI-R002"),
        (PERCEPTRON, rows(1), {"names": ["no"]}, "CAIMI-R002"),
        (PERCEPTRON, rows(1), {"parameters": {"caimi_nonce": "0x12"}}, "CAIMI-R002"),
        (PERCEPTRON, rows(1), {"parameters": {"caimi_nonce": 12}}, "CAIMI-R002"),
        (PERCEPTRON, rows(1), {"parameters": {"caimi_receipt": "yes"}}, "CAIMI-R002"),
        (PERCEPTRON, rows(1), {"sequence_id": 7}, "CAIMI-R002"),
        ("9.0.0", rows(1), {}, "CAIMI-R007"),
        ("", rows(1), {"name": "resnet"}, "CAIMI-R007"),
        ("", rows(1), {"name": NAME[:-1]}, "CAIMI-R007"),
        ("@", rows(1), {}, "CAIMI-R007"),
        (FAILING, {"index": np.array([3])}, {}, "CAIMI-R004"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_code(stock, version, inputs, options, code):
    with pytest.raises(InferenceServerException, match=code):
        stock.infer(version, inputs, **options)


def test_a_compressed_body_is_refused(stock):
    options = (
        {"request_compression_algorithm": "gzip"}
        if stock.kind == "http"
        else {"compression_algorithm": "gzip"}
    )
    with pytest.raises(InferenceServerException, match=r"[Cc]ompress"):
        stock.infer(PERCEPTRON, rows(2), **options)


def test_a_model_of_elements_that_the_protocol_lacks_says_so(stock):
    with pytest.raises(InferenceServerException, match=r"CAIMI-R001.*bfloat16"):
        stock.client.get_model_metadata(NAME, BRAIN)


def test_what_json_cannot_say_is_refused_and_comes_as_bytes(stock):
    odd = {"x": np.array([np.nan, np.inf], np.float32)}
    assert np.isnan(stock.infer(OPEN, odd).as_numpy("y")[0])
    if stock.kind == "http":
        entry = over_http.InferInput("x", [2], "FP32")
        entry.set_data_from_numpy(odd["x"])
        wanted = [over_http.InferRequestedOutput("y", binary_data=False)]
        with pytest.raises(InferenceServerException, match=r"CAIMI-R001.*NaN"):
            stock.client.infer(NAME, [entry], model_version=OPEN, outputs=wanted)


def test_answers_are_counted_with_the_workers_others(served):
    def count() -> float:
        text = httpx.get(f"http://{served.http}/metrics").text
        return float(re.search(r"caimi_answers_total ([0-9.]+)", text)[1])

    before = count()
    for kind in ("http", "grpc"):
        opened = Stock(served, kind)
        opened.infer(PERCEPTRON, rows(1))
        opened.client.close()
    assert count() == before + 2
