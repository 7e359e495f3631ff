"""A worker's answers: bounded, receipted before they leave, and for the asker alone."""

import asyncio
import secrets
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from worker_world import ACCOUNTS, NOW, URI, WALLET, digest, rows, served_perceptron, worker_of

from caimi.errors.inference import (
    ModelNotServed,
    ReceiptMalformed,
    ReceiptStoreDamaged,
    WorkerBusy,
    WrongInput,
)
from caimi.inference.prices import PriceList
from caimi.inference.runners import Runners
from caimi.inference.tensors import hash_tensors
from caimi.inference.worker import ServedModel
from caimi.models.tensor import Tensor
from caimi.persistence import open_receipt_store


@pytest.fixture
def store(tmp_path: Path):
    opened = open_receipt_store(None, tmp_path / "receipts.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def served(tmp_path: Path) -> ServedModel:
    return served_perceptron(tmp_path)


class SlowSession:
    """Runs until it is let go (port `Session`)."""

    inputs = (Tensor("x", "float32", ("rows", 4)),)
    outputs = inputs

    def __init__(self) -> None:
        self.gate = threading.Event()
        self._begun = threading.Semaphore(0)

    async def begun(self) -> None:
        """Wait until one more request runs."""
        await asyncio.to_thread(self._begun.acquire)

    def run(self, inputs):
        self._begun.release()
        assert self.gate.wait(20)
        return dict(inputs)


async def test_an_answer_has_a_receipt_about_exactly_it(store, served):
    nonce, inputs = secrets.token_bytes(32), rows(3)
    answer = await worker_of(served, store=store, prices=PriceList(minimum=7)).infer(
        URI, inputs, nonce
    )
    np.testing.assert_array_equal(answer.outputs["scores"], served.session.run(inputs)["scores"])
    answer.receipt.verify(ACCOUNTS)
    said = answer.receipt.receipt
    assert (said.ledger, said.model_id, said.version) == (URI.ledger, URI.model_id, URI.selector)
    assert (said.manifest, said.price, said.time) == (served.manifest, 7, NOW)
    assert (said.worker, said.nonce) == (WALLET.name, nonce)
    assert said.input_hash == hash_tensors(inputs)
    assert said.output_hash == hash_tensors(answer.outputs)


async def test_the_receipt_is_on_disk_before_the_answer_leaves(store, served, tmp_path):
    answer = await worker_of(served, store=store).infer(URI, rows(1), bytes(32))
    other = open_receipt_store(None, tmp_path / "receipts.sqlite")
    batch = other.next_batch(URI.ledger)
    other.mark_anchored(batch)
    assert other.inclusion(digest(answer.receipt)).holds(digest(answer.receipt))
    other.close()


async def test_no_answer_leaves_when_its_receipt_cannot_be_written(store, served):
    store.close()
    with pytest.raises(ReceiptStoreDamaged):
        await worker_of(served, store=store).infer(URI, rows(1), bytes(32))


async def test_an_unknown_model_is_not_served(store, served):
    worker = worker_of(served, store=store)
    for other in (URI.with_selector("2.0.0"), URI.with_selector(None)):
        with pytest.raises(ModelNotServed):
            await worker.infer(other, rows(1), bytes(32))


@pytest.mark.parametrize("nonce", [b"", bytes(31), bytes(33)])
async def test_a_nonce_of_another_length_is_refused(store, served, nonce):
    with pytest.raises(ReceiptMalformed):
        await worker_of(served, store=store).infer(URI, rows(1), nonce)


async def test_a_wrong_input_leaves_no_receipt(store, served):
    with pytest.raises(WrongInput):
        await worker_of(served, store=store).infer(URI, {"y": rows(1)["x"]}, bytes(32))
    assert store.next_batch(URI.ledger) is None


async def test_requests_over_the_limit_are_refused_and_places_come_back(store):
    slow = SlowSession()
    worker = worker_of(ServedModel(URI, bytes(32), slow), store=store, at_once=2, threads=2)
    waiting = [asyncio.create_task(worker.infer(URI, rows(1), bytes(32))) for _ in range(2)]
    await slow.begun()
    await slow.begun()
    with pytest.raises(WorkerBusy):
        await worker.infer(URI, rows(1), bytes(32))
    slow.gate.set()
    await asyncio.gather(*waiting)
    for _ in range(5):  # refused and failed requests give their places back, too
        with pytest.raises(ModelNotServed):
            await worker.infer(URI.with_selector("9"), rows(1), bytes(32))
    await worker.infer(URI, rows(1), bytes(32))


async def test_a_request_that_was_given_up_frees_its_place(store):
    slow = SlowSession()
    worker = worker_of(ServedModel(URI, bytes(32), slow), store=store, at_once=1)
    task = asyncio.create_task(worker.infer(URI, rows(1), bytes(32)))
    await slow.begun()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow.gate.set()
    assert await worker.infer(URI, rows(1), bytes(32))


async def test_a_long_run_does_not_stop_the_event_loop(store):
    slow = SlowSession()
    worker = worker_of(ServedModel(URI, bytes(32), slow), store=store, threads=1)
    task = asyncio.create_task(worker.infer(URI, rows(1), bytes(32)))
    began = time.monotonic()
    for _ in range(10):
        await asyncio.sleep(0.01)
    assert time.monotonic() - began < 5
    assert not task.done()
    slow.gate.set()
    await task


async def test_many_at_once_each_get_their_own_answer(store, served):
    worker = worker_of(served, store=store)
    asked = [(rows(count), secrets.token_bytes(32)) for count in range(1, 60)]
    answers = await asyncio.gather(*(worker.infer(URI, *request) for request in asked))
    for (inputs, nonce), answer in zip(asked, answers, strict=True):
        said = answer.receipt.receipt
        assert (said.input_hash, said.nonce) == (hash_tensors(inputs), nonce)
        assert len(answer.outputs["label"]) == len(inputs["x"])


async def test_runners_run_no_more_threads_than_they_may():
    runners: Runners[int] = Runners(3)
    lock, now, most = threading.Lock(), 0, 0

    def work() -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.002)
        with lock:
            now -= 1
        return threading.get_ident()

    threads = await asyncio.gather(*(runners.run(work) for _ in range(60)))
    assert most == len(set(threads)) == 3


async def test_what_fails_in_a_runner_fails_where_it_is_awaited_and_only_there():
    runners: Runners[int] = Runners(1)

    def fail() -> int:
        raise ValueError("this one")

    answers = await asyncio.gather(
        runners.run(lambda: 1), runners.run(fail), runners.run(lambda: 2), return_exceptions=True
    )
    assert (answers[0], str(answers[1]), answers[2]) == (1, "this one", 2)


async def test_work_that_nobody_awaits_any_more_is_not_begun():
    runners: Runners[None] = Runners(1)
    gate, begun = threading.Event(), []
    first = asyncio.create_task(runners.run(lambda: gate.wait(20) and None))
    second = asyncio.create_task(runners.run(lambda: begun.append(1)))
    await asyncio.sleep(0.01)
    second.cancel()
    await asyncio.sleep(0)
    gate.set()
    await first
    await runners.run(lambda: None)
    assert not begun
