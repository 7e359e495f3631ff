"""A model of open sizes has a module for each that is in use; no run suffers for another."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import wasm_modules as modules

from caimi.errors.inference import RunnerDied
from caimi.inference.wasm import engine
from caimi.inference.wasm.engine import WasmSession
from caimi.inference.wasm.hosting.weights import FileWeights
from caimi.inference.wasm.module import CompiledModule
from caimi.models.tensor import Tensor

OPEN = Tensor("x", "uint8", ("n",)), Tensor("y", "uint8", ("n",))

COPY = "(memory.copy (i32.const 2048) (i32.const 1024) (i32.const 99))"


@pytest.fixture
def loaded():
    """What was loaded, in its order."""
    return []


@pytest.fixture
def session(host, loaded, monkeypatch):
    monkeypatch.setattr(engine, "MAX_SIZES", 2)

    def sized(shapes):
        wasm = modules.compiled(
            inputs=[Tensor("x", "uint8", shapes["x"])],
            outputs=[Tensor("y", "uint8", shapes["x"])],
            run=f"{COPY} (i32.const 0)",
        )
        loaded.append(host.load(CompiledModule.parse(wasm), FileWeights(Path("/nowhere"))))
        return loaded[-1]

    made = WasmSession([OPEN[0]], [OPEN[1]], sized)
    yield made
    made.close()


def run(session, size):
    given = session.run({"x": np.full(size, size, np.uint8)})["y"]
    assert given.tolist() == [size] * size


def test_more_sizes_than_places_by_turns_all_get_their_answers(session):
    for size in (1, 2, 3, 1, 3, 2, 2):
        run(session, size)


def test_a_run_that_waits_for_its_turn_is_made_although_another_size_takes_the_place(
    session, loaded
):
    run(session, 1)
    (pid,) = loaded[0].pids
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as threads:
        made = [threads.submit(run, session, 1) for _ in range(2)]
        time.sleep(0.2)
        run(session, 2)
        run(session, 3)
        os.kill(pid, signal.SIGCONT)
        for each in made:
            each.result()


def test_a_child_that_dies_is_not_run_again_by_itself(host):
    forever = modules.compiled(run="(loop $l (br $l)) (i32.const 0)")
    loaded = host.load(CompiledModule.parse(forever), FileWeights(Path("/nowhere")))
    session = WasmSession(loaded.inputs, loaded.outputs, lambda _: loaded)
    with ThreadPoolExecutor(1) as threads:
        (pid,) = loaded.pids
        running = threads.submit(session.run, {"x": np.zeros(4, np.float32)})
        while loaded.pids:
            pass
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(RunnerDied, match="signal 9"):
            running.result()
    session.close()
