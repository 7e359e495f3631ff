"""Requests that run together: each gets its own rows, whatever the others are."""

import asyncio
import secrets
import threading
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import onnx_models as models
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from worker_world import URI, worker_of

from caimi.errors.inference import RunFailed, WrongInput
from caimi.inference.batching import BatchLimits, row_count, rows_stay_apart, run_together
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.request_queue import RequestQueue
from caimi.inference.runners import Runners
from caimi.inference.tensors import hash_tensors
from caimi.inference.worker import ServedModel
from caimi.models.tensor import Tensor
from caimi.persistence import open_receipt_store


class Recorded:
    """A session that notes how many rows each of its runs had (port `Session`)."""

    def __init__(self, session) -> None:
        self.inputs, self.outputs = session.inputs, session.outputs
        self.runs: list[int] = []
        self.begun = threading.Event()
        self.gate: threading.Event | None = None
        self._session = session

    def run(self, inputs):
        self.runs.append(row_count(inputs))
        self.begun.set()
        if self.gate is not None:
            assert self.gate.wait(20)
        return self._session.run(inputs)


def opened(model) -> Recorded:
    return Recorded(OnnxEngine().load(models.saved(Path(mkdtemp()), model)))


@cache
def doubling() -> Recorded:
    """`x` [n, m] and `y` [n, m], to twice the one and the sum of both."""
    return opened(
        models.model(
            [
                helper.make_node("Add", ["x", "x"], ["twice"]),
                helper.make_node("Add", ["x", "y"], ["sum"]),
            ],
            [models.value(name, TensorProto.FLOAT, ["n", "m"]) for name in ("x", "y")],
            [models.value(name, TensorProto.FLOAT, ["n", "m"]) for name in ("twice", "sum")],
        )
    )


def pair(rows: int, columns: int, seed: int = 0) -> dict[str, np.ndarray]:
    noise = np.random.default_rng([rows, columns, seed])
    return {name: noise.standard_normal((rows, columns)).astype(np.float32) for name in "xy"}


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3)), max_size=20),
    st.integers(1, 12),
)
def test_any_requests_together_get_what_each_gets_alone(sizes, limit):
    requests = [pair(rows, columns, at) for at, (rows, columns) in enumerate(sizes)]
    session = doubling()
    session.runs.clear()
    outcomes = run_together(session, requests, BatchLimits(limit))
    assert max(session.runs, default=0) <= max([limit, *(rows for rows, _ in sizes)])
    for inputs, outputs in zip(requests, outcomes, strict=True):
        np.testing.assert_array_equal(outputs["twice"], inputs["x"] * 2)
        np.testing.assert_array_equal(outputs["sum"], inputs["x"] + inputs["y"])


def test_other_trailing_shapes_are_not_merged():
    session = doubling()
    session.runs.clear()
    run_together(session, [pair(2, 1), pair(3, 2), pair(4, 1)], BatchLimits(100))
    assert session.runs == [6, 3]


def test_a_request_that_does_not_fit_is_refused_and_the_others_run():
    wrong = {"x": np.zeros((1, 2), np.float32), "y": np.zeros((2, 2), np.float32)}
    first, second, third = run_together(
        doubling(), [pair(1, 2), wrong, pair(2, 2)], BatchLimits(100)
    )
    assert isinstance(second, WrongInput)
    assert (len(first["sum"]), len(third["sum"])) == (1, 2)


def test_a_request_that_fails_harms_no_other():
    session = opened(models.gathering())
    asked = [{"index": np.array(index)} for index in ([0], [9], [2, 1])]
    first, second, third = run_together(session, asked, BatchLimits(100))
    assert first["rows"].tolist() == [[0, 1]]
    assert isinstance(second, RunFailed)
    assert third["rows"].tolist() == [[4, 5], [2, 3]]
    assert session.runs == [4, 1, 1, 2]


def test_what_is_large_runs_alone():
    session = doubling()
    session.runs.clear()
    asked = [pair(3, 2), pair(3, 2), pair(50, 2), pair(1, 2)]
    run_together(session, asked, BatchLimits(1000, size=100))
    assert session.runs == [6, 50, 1]


class Shortening:
    """Claims to keep rows, and loses one of each batch (port `Session`)."""

    inputs = (Tensor("x", "float32", ("n",)),)
    outputs = (Tensor("y", "float32", ("n",)),)

    def run(self, inputs):
        values = inputs["x"]
        return {"y": values if len(values) == 1 else values[1:]}


def test_a_model_that_loses_rows_is_run_alone():
    asked = [{"x": np.array([n], np.float32)} for n in (1, 2, 3)]
    found = run_together(Shortening(), asked, BatchLimits(100))
    assert [each["y"].tolist() for each in found] == [[1], [2], [3]]


def softmax_over_the_batch():
    return models.model(
        [helper.make_node("Softmax", ["x"], ["y"], axis=0)],
        [models.value("x", TensorProto.FLOAT, ["n", 2])],
        [models.value("y", TensorProto.FLOAT, ["n", 2])],
    )


def normalised(shape: list[int | str]):
    """ONNX-ML's Normalizer takes a tensor of rank 1 as one row."""
    return models.model(
        [helper.make_node("Normalizer", ["x"], ["y"], domain="ai.onnx.ml", norm="L1")],
        [models.value("x", TensorProto.FLOAT, shape)],
        [models.value("y", TensorProto.FLOAT, shape)],
        domains=("ai.onnx.ml",),
    )


def with_a_graph_that_looks_outside():
    """Adds the mean of the whole batch, which a branch takes from outside of it."""
    mean = helper.make_node("ReduceMean", ["x", "axes"], ["mean"])
    shape = models.value("mean", TensorProto.FLOAT, [1, 2])
    branches = {
        name: helper.make_graph([mean], name, [], [shape])
        for name in ("then_branch", "else_branch")
    }
    return models.model(
        [
            helper.make_node("If", ["yes"], ["all"], **branches),
            helper.make_node("Add", ["x", "all"], ["y"]),
        ],
        [models.value("x", TensorProto.FLOAT, ["n", 2])],
        [models.value("y", TensorProto.FLOAT, ["n", 2])],
        [
            numpy_helper.from_array(np.array(True), "yes"),
            numpy_helper.from_array(np.array([0]), "axes"),
        ],
    )


def with_a_function_of_a_known_name():
    """Calls ONNX's Relu, and means a function of its own."""
    built = softmax_over_the_batch()
    built.graph.node[0].CopyFrom(helper.make_node("Relu", ["x"], ["y"]))
    inside = helper.make_node("Softmax", ["a"], ["b"], axis=0)
    opset = [helper.make_opsetid("", models.OPSET)]
    built.functions.append(helper.make_function("", "Relu", ["a"], ["b"], [inside], opset))
    return built


@pytest.mark.parametrize(
    ("model", "apart"),
    [
        (models.perceptron(), True),
        (models.two_sided(), True),
        (models.gathering(), True),
        (softmax_over_the_batch(), False),
        (normalised(["n"]), False),
        (with_a_graph_that_looks_outside(), False),
        (with_a_function_of_a_known_name(), False),
        (models.identity(1, [2, 3]), False),
        (models.identity(1, None), False),
        (models.with_custom_operator(), False),
    ],
)
def test_only_models_whose_rows_provably_stay_apart_are_batched(tmp_path: Path, model, apart):
    assert rows_stay_apart(models.saved(tmp_path, model)) is apart


def test_a_file_that_is_no_model_is_not_batched(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    assert not rows_stay_apart(tmp_path / "model.onnx")


@pytest.fixture
def store(tmp_path: Path):
    opened = open_receipt_store(None, tmp_path / "receipts.sqlite")
    yield opened
    opened.close()


async def test_a_worker_runs_what_waits_together_and_signs_for_each(store):
    session = opened(models.perceptron())
    session.gate = threading.Event()
    served = ServedModel(URI, bytes(32), session, rows_apart=True)
    worker = worker_of(served, store=store, threads=1, batches=BatchLimits(rows=8))
    noise = np.random.default_rng(1).standard_normal((9, 2, 4)).astype(np.float32)
    asked = [({"x": rows}, secrets.token_bytes(32)) for rows in noise]
    tasks = [asyncio.create_task(worker.infer(URI, *each)) for each in asked]
    await asyncio.to_thread(session.begun.wait, 20)
    session.gate.set()
    answers = await asyncio.gather(*tasks)
    assert sum(session.runs) == 18
    assert max(session.runs) == 8
    for (inputs, nonce), answer in zip(asked, answers, strict=True):
        said = answer.receipt.receipt
        assert (said.nonce, said.input_hash) == (nonce, hash_tensors(inputs))
        assert said.output_hash == hash_tensors(answer.outputs)
        expected = session._session.run(inputs)
        np.testing.assert_allclose(answer.outputs["scores"], expected["scores"], rtol=1e-5)
        np.testing.assert_array_equal(answer.outputs["label"], expected["label"])


async def test_a_worker_does_not_batch_what_may_mix_rows(store):
    session = opened(softmax_over_the_batch())
    served = ServedModel(URI, bytes(32), session)
    worker = worker_of(served, store=store, threads=1, batches=BatchLimits(rows=8))
    inputs = {"x": np.ones((1, 2), np.float32)}
    answers = await asyncio.gather(*(worker.infer(URI, inputs, bytes(32)) for _ in range(5)))
    assert session.runs == [1] * 5
    assert all(answer.outputs["y"].tolist() == [[1, 1]] for answer in answers)


def line(work, most: int, wait_seconds: float = 0.0, threads: int = 1) -> RequestQueue[int, int]:
    return RequestQueue(Runners(threads), work, lambda _: 1, most, wait_seconds)


async def test_the_first_waits_for_others_no_longer_than_its_time():
    taken: list[int] = []

    def work(asked: Sequence[int]) -> list[int]:
        taken.append(len(asked))
        return [-each for each in asked]

    waiting = line(work, most=4, wait_seconds=0.2)
    began = time.monotonic()
    assert await asyncio.gather(*(waiting.ask(n) for n in range(3))) == [0, -1, -2]
    assert time.monotonic() - began >= 0.19
    began = time.monotonic()
    assert len(await asyncio.gather(*(waiting.ask(n) for n in range(4)))) == 4
    assert time.monotonic() - began < 0.15
    assert taken == [3, 4]


async def test_what_nobody_awaits_any_more_is_not_answered():
    gate, begun, taken = threading.Event(), threading.Event(), []

    def work(asked: Sequence[int]) -> list[int]:
        taken.append(list(asked))
        begun.set()
        assert gate.wait(20)
        return list(asked)

    waiting = line(work, most=10)
    first = asyncio.create_task(waiting.ask(0))
    await asyncio.to_thread(begun.wait, 20)
    others = [asyncio.create_task(waiting.ask(n)) for n in (1, 2)]
    await asyncio.sleep(0)
    others[0].cancel()
    await asyncio.sleep(0)
    gate.set()
    assert (await first, await others[1]) == (0, 2)
    assert taken == [[0], [2]]


async def test_work_that_breaks_is_told_to_all_and_the_line_goes_on():
    def work(asked: Sequence[int]) -> list[int]:
        if 0 in asked:
            raise ZeroDivisionError
        return list(asked)

    waiting = line(work, most=10)
    with pytest.raises(ZeroDivisionError):
        await waiting.ask(0)
    assert await waiting.ask(5) == 5


async def test_many_lines_and_threads_answer_each_its_own():
    lines = [line(lambda asked: [each * 2 for each in asked], 3, 0.001, 3) for _ in range(3)]
    asked = [(n % 3, n) for n in range(500)]
    answers = await asyncio.gather(*(lines[which].ask(n) for which, n in asked))
    assert answers == [n * 2 for _, n in asked]
