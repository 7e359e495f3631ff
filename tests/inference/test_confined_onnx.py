"""Whatever a model does to ONNX Runtime, the process that asked lives and hears of it by name."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx_models as models
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from caimi.errors.base import CaimiError
from caimi.errors.inference import (
    ModelEndsItsProcess,
    ModelNotRunnable,
    ModuleMemoryExceeded,
    RunFailed,
    RunnerDied,
    RunTimedOut,
    WrongInput,
)
from caimi.inference.confined import wire
from caimi.inference.confined.limits import OnnxLimits
from caimi.inference.confined.model_process import _outputs
from caimi.inference.confined.process import nursery
from caimi.inference.onnx_engine import OnnxEngine, OnnxSession
from caimi.models.tensor import Tensor

X = np.ones((2, 6), np.float32)
TRUE, FALSE = np.array(True), np.array(False)


def crashing() -> ModelProto:
    """`x` float32 [2, 6]; with `crash` ONNX Runtime 1.31 reads through a null pointer."""

    def branch(nodes):
        ends = [
            models.value("a", TensorProto.FLOAT, [2, 1]),
            models.value("c", TensorProto.FLOAT, [2, 3]),
        ]
        return helper.make_graph(nodes, "branch", [], ends)

    missing = [helper.make_node("Split", ["x", "sizes"], ["a", "", "c"], axis=1)]
    whole = [helper.make_node("Split", ["x", "sizes"], ["a", "b", "c"], axis=1)]
    return models.model(
        [
            helper.make_node(
                "If",
                ["crash"],
                ["first", "last"],
                then_branch=branch(missing),
                else_branch=branch(whole),
            )
        ],
        [models.value("x", TensorProto.FLOAT, [2, 6]), models.value("crash", TensorProto.BOOL, [])],
        [
            models.value("first", TensorProto.FLOAT, [2, 1]),
            models.value("last", TensorProto.FLOAT, [2, 3]),
        ],
        [numpy_helper.from_array(np.array([1, 2, 3]), "sizes")],
    )


def counting() -> ModelProto:
    """`turns` int64 [] to `sum` float32 [1]: as many additions."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still"]),
            helper.make_node("Add", ["v", "one"], ["w"]),
        ],
        "body",
        [
            models.value("i", TensorProto.INT64, []),
            models.value("on", TensorProto.BOOL, []),
            models.value("v", TensorProto.FLOAT, [1]),
        ],
        [
            models.value("still", TensorProto.BOOL, []),
            models.value("w", TensorProto.FLOAT, [1]),
        ],
        [numpy_helper.from_array(np.ones(1, np.float32), "one")],
    )
    return models.model(
        [helper.make_node("Loop", ["turns", "", "zero"], ["sum"], body=body)],
        [models.value("turns", TensorProto.INT64, [])],
        [models.value("sum", TensorProto.FLOAT, [1])],
        [numpy_helper.from_array(np.zeros(1, np.float32), "zero")],
    )


def growing() -> ModelProto:
    """`x` float32 [1] as often as `size` int64 [1] says, and as often in the answer, or summed."""
    return models.model(
        [
            helper.make_node("Expand", ["x", "size"], ["many"]),
            helper.make_node("ReduceSum", ["many"], ["sum"], keepdims=0),
        ],
        [models.value("x", TensorProto.FLOAT, [1]), models.value("size", TensorProto.INT64, [1])],
        [
            models.value("many", TensorProto.FLOAT, ["n"]),
            models.value("sum", TensorProto.FLOAT, []),
        ],
    )


def loaded(folder: Path, model: ModelProto, **limits: float) -> OnnxSession:
    return OnnxEngine(limits=OnnxLimits(**limits)).load(models.saved(folder, model))


def turns(count: int) -> dict[str, np.ndarray]:
    return {"turns": np.array(count)}


ENDLESS = turns(2**62)


def process_of(session: OnnxSession) -> int:
    """The process id of a session's child."""
    handle = session._process._process._handle
    lines = Path(f"/proc/self/fdinfo/{handle}").read_text().splitlines()
    found = int(next(line.split()[1] for line in lines if line.startswith("Pid:")))
    assert found > 0, "it is dead"
    return found


def strike(session: OnnxSession) -> None:
    """End a session's child as something outside would; by its handle, which names no other."""
    signal.pidfd_send_signal(session._process._process._handle, signal.SIGKILL)


def test_a_model_that_crashes_the_library_is_a_named_error_and_the_next_run_works(tmp_path):
    session = loaded(tmp_path, crashing())
    for _ in range(2):
        with pytest.raises(RunnerDied, match=r"signal 11"):
            session.run({"x": X, "crash": TRUE})
        assert session.run({"x": X, "crash": FALSE})["last"].tolist() == [[1.0] * 3] * 2


def test_a_run_that_does_not_end_is_ended_at_its_time_and_the_next_one_works(tmp_path):
    session = loaded(tmp_path, counting(), run_seconds=0.5)
    began = time.monotonic()
    with pytest.raises(RunTimedOut):
        session.run(ENDLESS)
    assert time.monotonic() - began < 5
    assert session.run(turns(5))["sum"] == 5


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_process_that_is_killed_is_replaced(tmp_path, when):
    session = loaded(tmp_path, counting())
    if when == "during":
        killing = threading.Timer(0.3, session.kill)
        killing.start()
        with pytest.raises(RunnerDied, match=r"signal 9"):
            session.run(ENDLESS)
    else:
        session.kill()
    for count in range(3):
        assert session.run(turns(count))["sum"] == count


def test_a_run_whose_process_is_struck_from_outside_is_done_again(tmp_path):
    session = loaded(tmp_path, counting())
    for _ in range(5):
        strike(session)
        assert [session.run(turns(3))["sum"] for _ in range(2)] == [3, 3]
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(session.run, turns(300_000))
        time.sleep(0.1)
        strike(session)
        assert slow.result()["sum"] == 300_000


def test_a_nursery_that_is_killed_is_replaced(tmp_path):
    session = loaded(tmp_path, counting())
    signal.pidfd_send_signal(os.pidfd_open(nursery().pid), signal.SIGKILL)
    time.sleep(0.1)
    assert session.run(turns(3))["sum"] == 3
    session.kill()
    assert session.run(turns(4))["sum"] == 4


def test_who_shared_a_process_with_a_crash_is_answered_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    both = models.model(
        [*crashing().graph.node, *counting().graph.node],
        [*crashing().graph.input, *counting().graph.input],
        [*crashing().graph.output, *counting().graph.output],
        [*crashing().graph.initializer, *counting().graph.initializer],
    )
    session = loaded(tmp_path, both)
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(session.run, {"x": X, "crash": FALSE, **turns(200_000)})
        time.sleep(0.05)
        with pytest.raises(RunnerDied):
            session.run({"x": X, "crash": TRUE, **turns(1)})
        assert slow.result()["sum"] == 200_000


def test_memory_without_end_is_refused_by_name(tmp_path):
    session = loaded(tmp_path, growing(), memory_bytes=1 << 30)
    one = np.ones(1, np.float32)
    with pytest.raises(RunFailed):
        session.run({"x": one, "size": np.array([1 << 30])})
    assert session.run({"x": one, "size": np.array([1000])})["sum"] == 1000


def test_tensors_of_a_run_are_bounded_both_ways(tmp_path):
    session = loaded(tmp_path, growing(), tensor_bytes=1 << 20)
    one = np.ones(1, np.float32)
    with pytest.raises(ModuleMemoryExceeded, match=r"1048576 are allowed"):
        session.run({"x": one, "size": np.array([1 << 19])})
    assert session.run({"x": one, "size": np.array([3])})["many"].tolist() == [1, 1, 1]
    echo = loaded(tmp_path, models.identity(TensorProto.FLOAT, ["n"]), tensor_bytes=1 << 20)
    with pytest.raises(WrongInput, match=r"1048576 are allowed"):
        echo.run({"x": np.zeros(1 << 19, np.float32)})


def test_answers_of_every_size_come_whole(tmp_path):
    session = loaded(tmp_path, growing())
    for size in (1, 1 << 20, 17, 1 << 22, 5, 0):
        many = session.run({"x": np.ones(1, np.float32), "size": np.array([size])})["many"]
        assert (many.shape, float(many.sum())) == ((size,), size)


def test_loading_that_takes_too_long_or_too_much_is_refused_by_name(tmp_path):
    file = models.saved(tmp_path, models.perceptron())
    with pytest.raises(ModelEndsItsProcess, match=r"0\.001 seconds"):
        OnnxEngine(limits=OnnxLimits(load_seconds=0.001)).load(file)
    with pytest.raises(ModelNotRunnable):
        OnnxEngine(limits=OnnxLimits(memory_bytes=1 << 16)).load(file)


def test_the_process_is_sealed_has_its_files_only_and_nothing_of_our_environment(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("CAIMI_PASSPHRASE", "secret")
    session = loaded(tmp_path, models.perceptron())
    process = Path(f"/proc/{process_of(session)}")
    status = dict(
        line.split(":\t", 1)
        for line in (process / "status").read_text().splitlines()
        if ":\t" in line
    )
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    opened = [str(each.readlink()) for each in (process / "fd").iterdir()]
    kinds = sorted(name.split(":")[0].removesuffix(" (deleted)") for name in opened)
    assert set(kinds) <= {"/dev/null", "socket", "/memfd", str(tmp_path / "model.onnx")}
    assert b"CAIMI" not in (process / "environ").read_bytes()
    assert b"ORT_DISABLE_TELEMETRY=1" in (process / "environ").read_bytes()


THREADS = """
import ctypes, os, socket, threading
from caimi.inference.wasm.hosting.confinement import confine_threads
attempts = {
    "read a file": lambda: open("/etc/hostname"),
    "open a socket": lambda: socket.socket(),
    "start a process": lambda: os.fork(),
    "run a program": lambda: os.execv("/bin/true", ["true"]),
    "kill its parent": lambda: os.kill(os.getppid(), 0),
    "take its limits back": lambda: __import__("resource").getrlimit(0),
}
for name in ("read a file", "open a socket", "kill its parent"):
    attempts[name]()
confine_threads(1 << 30)
for name, attempt in attempts.items():
    try:
        attempt()
    except PermissionError:
        continue
    print(name)
done = []
threads = [threading.Thread(target=done.append, args=(1,)) for _ in range(3)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
try:
    bytearray(1 << 30)
except MemoryError:
    print("end", len(done))
"""


def test_what_may_start_threads_can_reach_nothing_else_and_has_bounded_memory():
    said = subprocess.run(
        [sys.executable, "-c", THREADS], check=True, capture_output=True, text=True
    )
    assert said.stdout.split("\n") == ["end 3", ""]


HOST = """
import sys
from pathlib import Path
import numpy as np
from caimi.inference.onnx_engine import OnnxEngine
session = OnnxEngine().load(Path(sys.argv[1]))
handle = session._process._process._handle
print(open(f"/proc/self/fdinfo/{handle}").read().split("Pid:")[1].split()[0])
print("onnxruntime" in sys.modules, flush=True)
session.run({"turns": np.array(2**62)})
"""


def test_a_run_ends_with_its_host_and_the_host_has_not_the_library(tmp_path):
    file = models.saved(tmp_path, counting())
    with subprocess.Popen(
        [sys.executable, "-c", HOST, str(file)], stdout=subprocess.PIPE, text=True
    ) as host:
        process = Path("/proc") / host.stdout.readline().strip()
        assert host.stdout.readline() == "False\n"
        assert process.exists()
        host.kill()
    deadline = time.monotonic() + 20
    while process.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not process.exists()


def test_a_session_that_is_closed_runs_nothing(tmp_path):
    session = loaded(tmp_path, counting())
    session.close()
    with pytest.raises(RunnerDied):
        session.run(turns(1))


def test_the_model_that_was_checked_is_the_one_that_is_loaded_again(tmp_path):
    session = loaded(tmp_path, counting())
    (tmp_path / "model.onnx").unlink()
    (tmp_path / "model.onnx").write_bytes(b"another")
    session.kill()
    assert session.run(turns(6))["sum"] == 6


@pytest.mark.parametrize("seed", range(60))
def test_whatever_bytes_a_model_has_it_is_run_or_refused_by_name(tmp_path, seed):
    """Damaged models; a crash of the library would be a named error here as well."""
    noise = random.Random(seed)
    made = [crashing, counting, growing, models.perceptron][seed % 4]()
    data = bytearray(made.SerializeToString())
    for _ in range(noise.randint(1, 4)):
        at = noise.randrange(len(data))
        match noise.randrange(3):
            case 0:
                data[at] ^= 1 << noise.randrange(8)
            case 1:
                del data[at : at + noise.randint(1, 8)]
            case _:
                data[at:at] = noise.randbytes(noise.randint(1, 8))
    file = tmp_path / "model.onnx"
    file.write_bytes(data)
    try:
        session = OnnxEngine(limits=OnnxLimits(run_seconds=1)).load(file)
        sizes = [
            [1 if isinstance(n, str) else min(n, 8) for n in t.shape or ()] for t in session.inputs
        ]
        session.run(
            {t.name: np.ones(size, t.dtype) for t, size in zip(session.inputs, sizes, strict=True)}
        )
    except (CaimiError, TypeError):
        pass
    assert OnnxEngine().load(models.saved(tmp_path, counting())).run(turns(2))["sum"] == 2


SPECS = (Tensor("a", "float32", ("n",)), Tensor("b", "bool", (2,)), Tensor("t", "string", ("n",)))


@given(st.binary(max_size=400), st.integers(0, 80), st.integers(0, 300))
@settings(max_examples=300)
def test_nothing_that_a_process_answers_is_believed(memory, start, size):
    try:
        values = _outputs(memoryview(memory), start, size, SPECS)
    except ValueError:
        return
    assert [value.dtype.kind for value in values] == ["f", "b", "O"]
    assert sum(value.nbytes for value in values[:2]) <= len(memory)


@given(st.lists(st.tuples(st.integers(0, 2**63), st.lists(st.integers(0, 2**63), max_size=5))))
def test_a_description_is_read_back(tensors):
    named = [(size, tuple(shape)) for size, shape in tensors]
    assert wire.described(wire.describe(named), len(named)) == named
    with pytest.raises(ValueError, match=r"description|more|cut"):
        wire.described(wire.describe(named), len(named) + 1)


@given(st.lists(st.binary(max_size=20)))
def test_texts_are_read_back(texts):
    assert list(wire.unpack_texts(wire.pack_texts(texts))) == texts
