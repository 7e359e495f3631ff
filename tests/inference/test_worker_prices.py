"""What a worker offers is what its receipt says."""

import secrets
from dataclasses import replace
from pathlib import Path

import onnx_models as models
import pytest
from worker_world import URI, rows, served_perceptron, worker_of

from caimi.errors.inference import ModelNotRunnable, WrongInput
from caimi.inference.meter import Meter
from caimi.inference.prices import PriceList
from caimi.inference.worker import ServedModel
from caimi.persistence import open_receipt_store

PRICES = PriceList(minimum=10, request=3, gigafuel=10**9, megabyte_in=10**6)


@pytest.fixture
def store(tmp_path: Path):
    opened = open_receipt_store(None, tmp_path / "receipts.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def metered(tmp_path: Path) -> ServedModel:
    file = models.saved(tmp_path, models.perceptron())
    return replace(served_perceptron(tmp_path), meter=Meter(file))


async def test_the_receipt_says_the_price_of_the_offer(store, metered):
    worker = worker_of(metered, store=store, prices=PRICES)
    offers = []
    for count in (1, 2, 50):
        inputs = rows(count)
        offer = await worker.offer(URI, {"x": inputs["x"].shape})
        answer = await worker.infer(URI, inputs, secrets.token_bytes(32))
        assert answer.receipt.receipt.price == offer.price
        assert offer.prices == PRICES
        offers.append(offer.price)
    assert offers == sorted(set(offers))


async def test_a_constant_price_needs_no_meter(store, tmp_path):
    worker = worker_of(served_perceptron(tmp_path), store=store, prices=PriceList(minimum=7))
    answer = await worker.infer(URI, rows(3), secrets.token_bytes(32))
    assert answer.receipt.receipt.price == 7


async def test_without_a_meter_nothing_runs_at_a_price_by_usage(store, tmp_path):
    worker = worker_of(served_perceptron(tmp_path), store=store, prices=PRICES)
    with pytest.raises(ModelNotRunnable):
        await worker.infer(URI, rows(3), secrets.token_bytes(32))


async def test_shapes_that_do_not_fit_have_no_price(store, metered):
    worker = worker_of(metered, store=store, prices=PRICES)
    with pytest.raises(WrongInput):
        await worker.offer(URI, {"x": (1, 2, 3)})
