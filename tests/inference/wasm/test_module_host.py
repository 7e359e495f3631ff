"""Modules run in processes of their own: what goes in, what comes out, what it costs."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import wasm_modules as modules
from processes_of_tests import is_gone

from caimi.errors.inference import ModuleMemoryExceeded, RunFailed, RunnerDied, WrongInput
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.inference.wasm.hosting.runner import Limits
from caimi.inference.wasm.hosting.weights import FileWeights
from caimi.inference.wasm.module import CompiledModule
from caimi.models.tensor import Tensor

NO_WEIGHTS = FileWeights(Path("/nowhere"))
ONE = np.array([1, 2, 3, 4], np.float32)
COUNTING = "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))"


def load(host, wasm=None, limits=None, **options):
    module = CompiledModule.parse(wasm or modules.compiled())
    return host.load(module, NO_WEIGHTS, limits=limits, **options)


def test_a_module_gives_its_outputs(host):
    with load(host) as session:
        assert session.run({"x": ONE}).outputs["y"].tolist() == [2, 4, 6, 8]
        assert (list(session.inputs), list(session.outputs)) == ([modules.X], [modules.Y])


def test_every_type_passes_unchanged(host):
    names = ["bool", "int8", "uint8", "int16", "uint16", "float16", "int32", "uint32", "float32"]
    for name in [*names, "int64", "uint64", "float64"]:
        wasm = modules.compiled(
            inputs=[Tensor("x", name, (2, 1))],
            outputs=[Tensor("y", name, (1, 2))],
            run="(memory.copy (i32.const 2048) (i32.const 1024) (i32.const 16)) (i32.const 0)",
        )
        value = np.array([[1], [0]]).astype(name)
        with load(host, wasm) as session:
            given = session.run({"x": value}).outputs["y"]
        assert (given.dtype, given.shape, given.tolist()) == (value.dtype, (1, 2), [[1, 0]])


def test_a_bool_is_true_or_false_whatever_byte_the_module_wrote(host):
    wasm = modules.compiled(
        outputs=[Tensor("y", "bool", (2,))],
        run="(i32.store16 (i32.const 2048) (i32.const 0x0007)) (i32.const 0)",
    )
    with load(host, wasm) as session:
        given = session.run({"x": ONE}).outputs["y"]
    assert given.tobytes() == b"\1\0"


@pytest.mark.parametrize("count", [0, 1, 3, 5000])
def test_a_module_that_takes_rows_is_called_for_each(host, count):
    wasm = modules.compiled(
        inputs=[Tensor("x", "float32", ("n", 2, 2)), Tensor("k", "float32", (4,))],
        outputs=[Tensor("y", "float32", ("n", 4)), Tensor("calls", "int32", ("n",))],
        rows="n",
        run=f"""{COUNTING} (v128.store (i32.const 2048)
          (f32x4.add (v128.load (i32.const 1024)) (v128.load (i32.const 1056)))) (i32.const 0)""",
        given="(i32.add (i32.const 1024) (i32.mul (local.get $index) (i32.const 32)))",
        taken="(i32.mul (i32.eqz (local.get $index)) (i32.const 2048))",
    )
    rows = np.arange(4 * count, dtype=np.float32).reshape(count, 2, 2)
    with load(host, wasm) as session:
        for calls in (0, count):
            outputs = session.run({"x": rows, "k": ONE}).outputs
            assert np.array_equal(outputs["y"], rows.reshape(count, 4) + ONE)
            assert outputs["calls"].tolist() == list(range(calls + 1, calls + count + 1))


def test_an_answer_does_not_change_with_the_next_run(host):
    with load(host) as session:
        first = session.run({"x": ONE}).outputs["y"]
        session.run({"x": ONE * 0})
    assert first.tolist() == [2, 4, 6, 8]


def test_each_run_tells_its_cost_and_fuel_is_the_same_each_time(host):
    wasm = modules.compiled(memory='(memory (export "memory") 2 9)')
    with load(host, wasm) as session:
        costs = [session.run({"x": ONE * value}).cost for value in (0, 1, np.nan)]
    assert {cost.fuel for cost in costs} == {costs[0].fuel}
    assert {cost.memory_bytes for cost in costs} == {2 * 65536}
    assert all(0 < cost.seconds < 5 and 0 < cost.fuel < 100 for cost in costs)


def test_fuel_grows_by_the_row(host):
    rows, out = Tensor("x", "float32", ("n", 4)), Tensor("y", "float32", ("n", 4))
    with load(host, modules.compiled(inputs=[rows], outputs=[out], rows="n")) as session:
        fuel = [session.run({"x": np.zeros((n, 4), np.float32)}).cost.fuel for n in (1, 2, 7)]
    assert fuel == [fuel[0], 2 * fuel[0], 7 * fuel[0]]


def test_threads_at_once_do_not_disturb_each_other(host):
    with load(host, processes=2) as session, ThreadPoolExecutor(8) as threads:
        given = threads.map(
            lambda value: session.run({"x": ONE * value}).outputs["y"].tolist(), range(200)
        )
        assert list(given) == [(ONE * 2 * value).tolist() for value in range(200)]
        assert 1 <= len(session.pids) <= 2


def test_what_does_not_fit_the_signature_is_refused_and_the_process_kept(host):
    with load(host) as session:
        before = session.pids
        for wrong in ({}, {"x": ONE, "z": ONE}, {"x": ONE[:3]}, {"x": ONE.astype(np.float64)}):
            with pytest.raises(WrongInput):
                session.run(wrong)
        assert session.run({"x": ONE}).outputs["y"].tolist() == [2, 4, 6, 8]
        assert session.pids == before


def test_more_rows_than_the_limit_of_tensors_are_refused(host):
    rows, out = Tensor("x", "float32", ("n", 4)), Tensor("y", "float32", ("n", 4))
    wasm = modules.compiled(inputs=[rows], outputs=[out], rows="n")
    with load(host, wasm, Limits(tensor_bytes=3200)) as session:
        session.run({"x": np.zeros((100, 4), np.float32)})
        with pytest.raises(WrongInput, match="101 rows"):
            session.run({"x": np.zeros((101, 4), np.float32)})


@pytest.mark.parametrize(("status", "said"), [(1, "index is out of range"), (77, "error 77")])
def test_what_the_module_says_itself_leaves_its_process(host, status, said):
    wasm = modules.compiled(
        run=f"{modules.DOUBLE} (i32.trunc_f32_s (f32.load (i32.const 1024)))"
        f"(i32.mul (i32.const {status})) (i32.add)"
    )
    with load(host, wasm) as session:
        before = session.pids
        with pytest.raises(RunFailed, match=said):
            session.run({"x": ONE})
        assert session.run({"x": ONE * 0}).outputs["y"].tolist() == [0, 0, 0, 0]
        assert session.pids == before


def test_a_module_that_says_it_has_not_memory_enough_is_believed(host):
    wasm = modules.compiled(run="(i32.const 2)")
    with load(host, wasm) as session, pytest.raises(ModuleMemoryExceeded):
        session.run({"x": ONE})


def test_closing_ends_the_processes(host):
    session = load(host)
    (pid,) = session.pids
    session.close()
    assert is_gone(pid)
    with pytest.raises(RunnerDied, match="closed"):
        session.run({"x": ONE})


def test_closing_in_the_middle_of_a_run_ends_its_process_after_it(host):
    slow = modules.compiled(
        run=f"""(i64.store (i32.const 0) (i64.const 300000000))
          (loop $l (i64.store (i32.const 0) (i64.sub (i64.load (i32.const 0)) (i64.const 1)))
            (br_if $l (i64.ne (i64.load (i32.const 0)) (i64.const 0)))) {modules.DOUBLE}"""
    )
    session = load(host, slow)
    (pid,) = session.pids
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(session.run, {"x": ONE})
        time.sleep(0.1)
        assert not running.done()
        session.close()
        assert running.result().outputs["y"].tolist() == [2, 4, 6, 8]
    assert is_gone(pid)


def test_nothing_is_left_open_by_loads_good_and_bad(host):
    bad = modules.compiled(load="unreachable")
    good = modules.compiled()

    def both():
        load(host, good).close()
        with pytest.raises(RunFailed):
            load(host, bad)

    both()
    before = _settled(lambda: len(list(Path("/proc/self/fd").iterdir())))
    for _ in range(5):
        both()
    assert _settled(lambda: len(list(Path("/proc/self/fd").iterdir()))) == before


PARENT = """
import sys, threading, time
from pathlib import Path
import numpy as np
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.inference.wasm.module import CompiledModule
from caimi.inference.wasm.hosting.weights import FileWeights
host = ModuleHost()
module = CompiledModule.parse(bytes.fromhex(sys.stdin.readline()))
session = host.load(module, FileWeights(Path("/")))
print(*session.pids, flush=True)
session.run({"x": np.ones(4, np.float32)})
"""


def test_a_child_ends_with_its_parent_in_the_middle_of_a_run():
    forever = modules.compiled(run="(loop $l (br $l)) (i32.const 0)")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        parent.stdin.write(forever.hex() + "\n")
        parent.stdin.flush()
        child = int(parent.stdout.readline())
        assert not is_gone(child, 0.2)
        parent.send_signal(signal.SIGKILL)
    assert is_gone(child)


def test_a_host_without_its_spare_works_on():
    with ModuleHost() as host:
        host.close()
        with load(host) as session:
            assert session.run({"x": ONE}).outputs["y"].tolist() == [2, 4, 6, 8]


def test_limits_are_those_of_each_run(host):
    cost = load(host).run({"x": ONE}).cost
    with load(host, limits=replace(Limits(), fuel=cost.fuel)) as session:
        for _ in range(3):
            session.run({"x": ONE})


def _settled(measure):
    """Give what stays the same for a moment: a spare process is started in the background."""
    last, same = measure(), 0
    for _ in range(100):
        time.sleep(0.05)
        now = measure()
        same = same + 1 if now == last else 0
        if same == 6:
            break
        last = now
    return last
