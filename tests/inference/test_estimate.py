"""Estimates and the meter: they agree with each other, and rows add up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.inference.calibration import DEFAULTS, load_rates, parse_rates
from caimi.inference.estimate import estimate
from caimi.inference.meter import Meter
from zoo import named

NO_RATES = load_rates(Path("/nonexistent/rates"))


@pytest.fixture(scope="module")
def perceptron(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("estimate") / "perceptron.onnx"
    file.write_bytes(named("perceptron").build(0))
    return file


def test_rows_one_by_one_cost_as_many_times_one(perceptron: Path) -> None:
    one, many = estimate(perceptron, 1, NO_RATES), estimate(perceptron, 7, NO_RATES)
    assert many.one_by_one
    assert many.usage.fuel == 7 * one.usage.fuel
    assert many.usage.bytes_in == 7 * one.usage.bytes_in
    assert [e.fuel for e in many.engines[1:]] == [7 * (e.fuel or 0) for e in one.engines[1:]]


async def test_the_meter_tells_what_the_estimate_tells(perceptron: Path) -> None:
    told = estimate(perceptron, 5, NO_RATES)
    name = next(iter(named("perceptron").inputs(1, 0)))
    assert await Meter(perceptron).usage({name: (5, 30)}) == told.usage


def test_bytes_are_those_of_the_tensors(perceptron: Path) -> None:
    inputs = named("perceptron").inputs(3, 0)
    told = estimate(perceptron, 3, NO_RATES)
    assert told.usage.bytes_in == sum(value.nbytes for value in inputs.values())


def test_without_a_calibration_times_are_marked_as_defaults(perceptron: Path) -> None:
    assert not any(engine.measured for engine in estimate(perceptron, 1, NO_RATES).engines)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"simd":0}', b'{"simd":1.5}', b'{"gpu":5}', b'{"simd":true}', b"\xff"]
)
def test_damaged_rates_count_as_none(data: bytes) -> None:
    assert parse_rates(data) == {}


def test_rates_that_were_measured_replace_defaults(tmp_path: Path) -> None:
    file = tmp_path / "rates.json"
    file.write_text('{"simd":123}')
    rates = load_rates(file)
    assert rates.measured == {"simd"}
    assert rates.rates == {**DEFAULTS, "simd": 123}


def test_the_command_says_what_a_worker_would_ask(perceptron: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text("minimum = 3\ngigafuel = 1000000000\n")
    asked = ["estimate", str(perceptron), "--rows", "2", "--prices", str(prices), "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert said["price"] == str(said["estimate"]["usage"]["fuel"])
    assert {engine["name"] for engine in said["estimate"]["engines"]} >= {"onnx"}


def test_the_command_refuses_prices_that_are_none(perceptron: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text("gigafuel = -1\n")
    done = CliRunner().invoke(app, ["estimate", str(perceptron), "--prices", str(prices), "--json"])
    assert done.exit_code != 0
    assert json.loads(done.output)["error"]["code"] == "CAIMI-R051"
