"""A meter looks at one shape at a time, and whoever asks for a known one need not wait."""

import asyncio
from pathlib import Path

import pytest

from caimi.errors.inference import ModelEndsItsProcess, ModelNotRunnable, WorkerBusy, WrongInput
from caimi.inference import meter
from caimi.inference.meter import MAX_SHAPES, Meter


class Apart:
    """Stands where a process apart is asked, and counts; `answers` maps a size to what it says."""

    def __init__(self, monkeypatch):
        self.asked = []
        self.at_once = self.most_at_once = 0
        self.answers = {}
        self.gate = asyncio.Event()
        self.gate.set()
        monkeypatch.setattr(meter, "ask_apart", self._ask)
        self._loop = asyncio.get_running_loop()

    def _ask(self, what, job, name):
        if job["shapes"] is None:
            return {"usage": None}
        (size,) = job["shapes"]["x"]
        self.asked.append(size)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            asyncio.run_coroutine_threadsafe(self.gate.wait(), self._loop).result()
            if isinstance(answer := self.answers.get(size), Exception):
                raise answer
            return {"usage": [size, 0, 0], "inputs": None}
        finally:
            self.at_once -= 1


@pytest.fixture
async def apart(monkeypatch):
    return Apart(monkeypatch)


@pytest.fixture
def metered(apart):
    return Meter(Path("model.onnx"))


async def fuel(metered, size):
    return (await metered.usage({"x": (size,)})).fuel


async def test_a_shape_is_looked_at_once(apart, metered):
    assert [await fuel(metered, size) for size in (3, 4, 3)] == [3, 4, 3]
    assert await asyncio.gather(*(fuel(metered, 5) for _ in range(4))) == [5] * 4
    assert apart.asked == [3, 4, 5]


async def test_whoever_asks_for_a_known_shape_waits_for_no_other(apart, metered):
    await fuel(metered, 1)
    apart.gate.clear()
    slow = asyncio.ensure_future(fuel(metered, 2))
    await asyncio.sleep(0.05)
    assert apart.asked == [1, 2]
    assert await fuel(metered, 1) == 1
    assert not slow.done()
    apart.gate.set()
    assert await slow == 2


async def test_new_shapes_are_looked_at_one_at_a_time_and_patience_ends(
    apart, metered, monkeypatch
):
    monkeypatch.setattr(meter, "PATIENCE_SECONDS", 0.02)
    apart.gate.clear()
    first = asyncio.ensure_future(fuel(metered, 1))
    await asyncio.sleep(0.01)
    with pytest.raises(WorkerBusy):
        await fuel(metered, 2)
    apart.gate.set()
    assert await first == 1
    assert await fuel(metered, 2) == 2
    assert apart.most_at_once == 1


async def test_who_asks_and_goes_starts_no_second_process(apart, metered, monkeypatch):
    monkeypatch.setattr(meter, "PATIENCE_SECONDS", 0.02)
    apart.gate.clear()
    for size in (1, 2, 3):
        asking = asyncio.ensure_future(fuel(metered, size))
        await asyncio.sleep(0.01)
        asking.cancel()
    assert apart.asked == [1]
    apart.gate.set()
    await asyncio.sleep(0.05)
    assert await fuel(metered, 1) == 1
    assert apart.asked == [1]


@pytest.mark.parametrize("error", [WrongInput, ModelNotRunnable])
async def test_a_shape_that_does_not_fit_is_looked_at_once(apart, metered, error):
    apart.answers[1] = error("It does not fit.", why="It is odd.", next_step="Send another.")
    for _ in range(3):
        with pytest.raises(error, match="does not fit") as refused:
            await fuel(metered, 1)
        assert (refused.value.why, refused.value.next_step) == ("It is odd.", "Send another.")
    assert apart.asked == [1]


async def test_a_process_that_ended_is_asked_again(apart, metered):
    apart.answers[1] = ModelEndsItsProcess("It ended.")
    with pytest.raises(ModelEndsItsProcess):
        await fuel(metered, 1)
    del apart.answers[1]
    assert await fuel(metered, 1) == 1


async def test_the_shapes_that_were_asked_for_last_are_kept(apart, metered):
    for size in range(1, MAX_SHAPES + 1):
        await fuel(metered, size)
    await fuel(metered, 1)
    await fuel(metered, MAX_SHAPES + 1)
    apart.asked.clear()
    await fuel(metered, 1)
    assert apart.asked == []
    await fuel(metered, 2)
    assert apart.asked == [2]
