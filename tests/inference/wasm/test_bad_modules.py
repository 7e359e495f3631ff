"""Modules that mean harm, or are broken: each is a named error within its bounds, nothing more."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import wasm_modules as modules
from processes_of_tests import is_gone

from caimi.errors.inference import (
    FuelExhausted,
    ModuleLied,
    ModuleMalformed,
    ModuleMemoryExceeded,
    ModuleTrapped,
    RunFailed,
    RunnerDied,
    RunTimedOut,
)
from caimi.inference.wasm.hosting.protocol import plain
from caimi.inference.wasm.hosting.runner import Limits
from caimi.inference.wasm.hosting.weights import FileWeights
from caimi.inference.wasm.metadata import Weight
from caimi.inference.wasm.module import CompiledModule, attach
from caimi.models.tensor import Tensor

ONE = np.array([1, 2, 3, 4], np.float32)
LIMITS = Limits(fuel=10_000_000, seconds=20, memory_bytes=4 * 1024**2)
FOREVER = "(loop $l (br $l))"
IF_FIRST_IS_NOT_0 = "(f32.ne (f32.load (i32.const 1024)) (f32.const 0))"
GROW_FOREVER = """(loop $l
  (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))"""
UNBOUNDED = '(memory (export "memory") 1 65535)'
RECURSE = "(func $deep (param i64 i64) (call $deep (local.get 1) (local.get 0)))"
SPIN = Limits(fuel=2**62, seconds=20)


NO_WEIGHTS = FileWeights(Path("/nowhere"))


def load(host, limits=LIMITS, source=NO_WEIGHTS, **parts):
    wasm = modules.compiled(**parts)
    return host.load(CompiledModule.parse(wasm), source, limits=limits)


WHEN_RUN = [
    (FOREVER, {}, FuelExhausted, "fuel"),
    (GROW_FOREVER + FOREVER, {"memory": UNBOUNDED}, FuelExhausted, "fuel"),
    (GROW_FOREVER + "unreachable", {"memory": UNBOUNDED}, ModuleTrapped, "unreachable"),
    ("unreachable", {}, ModuleTrapped, "unreachable"),
    ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", {}, ModuleTrapped, "divide by zero"),
    ("(drop (i32.load (i32.const 65536)))", {}, ModuleTrapped, "out of bounds"),
    ("(drop (i32.load offset=4294967295 (i32.const -1)))", {}, ModuleTrapped, "out of bounds"),
    ("(drop (i32.trunc_f32_s (f32.const nan)))", {}, ModuleTrapped, "conversion"),
    ("(call_indirect (i32.const 0))", {"more": "(table 1 1 funcref)"}, ModuleTrapped, "element"),
    ("(call $deep (i64.const 1) (i64.const 2))", {"more": RECURSE}, ModuleTrapped, "stack"),
]


@pytest.mark.parametrize(("what", "parts", "error", "said"), WHEN_RUN)
def test_a_run_that_goes_wrong_is_named_and_the_next_one_works(host, what, parts, error, said):
    run = f"(if {IF_FIRST_IS_NOT_0} (then {what})) {modules.DOUBLE}"
    with load(host, run=run, **parts) as session:
        for _ in range(2):
            with pytest.raises(error, match=said):
                session.run({"x": ONE})
            assert session.run({"x": ONE * 0}).outputs["y"].tolist() == [0] * 4


@pytest.mark.parametrize("where", ["initialize", "load"])
@pytest.mark.parametrize(
    ("what", "error"),
    [(FOREVER, FuelExhausted), ("unreachable", ModuleTrapped), (GROW_FOREVER, None)],
)
def test_a_load_that_goes_wrong_is_named(host, where, what, error):
    parts = {where: what + ("" if where == "initialize" else "(i32.const 2)")}
    with pytest.raises(error or ModuleMemoryExceeded):
        load(host, memory=UNBOUNDED, **{"load": "(i32.const 2)"} | parts)


def test_memory_never_passes_its_limit(host):
    run = f"{GROW_FOREVER} {modules.DOUBLE}"
    with load(host, memory=UNBOUNDED, run=run) as session:
        assert session.run({"x": ONE}).cost.memory_bytes == LIMITS.memory_bytes


def test_a_module_that_begins_with_too_much_memory_is_refused_before_it_starts(host):
    with pytest.raises(ModuleMemoryExceeded, match="begins with"):
        load(host, memory='(memory (export "memory") 1000 1000)')


def test_tensors_that_are_too_large_are_refused_before_anything_starts(host):
    with pytest.raises(ModuleMemoryExceeded, match="take"):
        load(host, Limits(tensor_bytes=16))


def test_a_run_that_takes_too_long_is_ended(host):
    run = f"(if {IF_FIRST_IS_NOT_0} (then {FOREVER})) {modules.DOUBLE}"
    with load(host, Limits(fuel=2**62, seconds=2), run=run) as session:
        (pid,) = session.pids
        began = time.monotonic()
        with pytest.raises(RunTimedOut):
            session.run({"x": ONE})
        assert 2 <= time.monotonic() - began < 10
        assert is_gone(pid)
        assert session.run({"x": ONE * 0}).outputs["y"].tolist() == [0] * 4


TWO = (Tensor("a", "float32", (4,)), Tensor("b", "float32", (4,)))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"taken": "(i32.const 65535)"}, "output 0 is outside"),
        ({"taken": "(i32.const -1)"}, "output 0 is outside"),
        ({"given": "(i32.const 65521)"}, "input 0 is outside"),
        ({"given": "(i32.const -2147483648)"}, "input 0 is outside"),
        ({"outputs": TWO}, "overlap"),
        (
            {
                "outputs": TWO,
                "taken": "(i32.sub (i32.const 2048) (i32.mul (local.get 0) (i32.const 15)))",
            },
            "overlap",
        ),
    ],
)
def test_a_module_that_lies_about_where_its_tensors_are_is_refused(host, parts, said):
    with pytest.raises(ModuleLied, match=said):
        load(host, **parts)


def test_tensors_at_the_very_end_of_memory_are_inside(host):
    copy = "(memory.copy (i32.const 65520) (i32.const 65504) (i32.const 16)) (i32.const 0)"
    with load(
        host, run=copy, given="(i32.const 65504)", taken="(i32.const 65520)"
    ) as session:  # fmt: skip
        assert session.run({"x": ONE}).outputs["y"].tolist() == ONE.tolist()


@pytest.mark.parametrize(
    "numbers",
    [
        (1, 4096, 0, 4),
        (-1, 4096, 0, 4),
        (0, 4096, 0, 17),
        (0, 4096, 16, 1),
        (0, 4096, -1, 2),
        (0, 4096, 1, -1),
        (0, 65533, 0, 4),
        (0, -4, 0, 4),
        (0, -1, 0, 16),
    ],
)
def test_reading_weights_out_of_range_is_refused(host, tmp_path, numbers):
    (tmp_path / "w.bin").write_bytes(bytes(16))
    read = "".join(f"(i32.const {number})" for number in numbers)
    with pytest.raises(ModuleLied, match="reads"):
        load(
            host,
            source=FileWeights(tmp_path),
            weights=(Weight("w.bin", 0, 16),),
            imports=modules.READ,
            load=f"(call $read {read}) (i32.const 0)",
        )


@pytest.mark.parametrize(("what", "times"), [("SIGKILL", 1), ("SIGABRT", 1), ("SIGSEGV", 2)])
def test_a_child_that_dies_in_the_middle_of_a_run_is_named_and_replaced(host, what, times):
    run = f"(if {IF_FIRST_IS_NOT_0} (then {FOREVER})) {modules.DOUBLE}"
    with load(host, SPIN, run=run) as session:
        (pid,) = session.pids
        for time_ in range(times):  # wasmtime forgives one that no instruction caused
            threading.Timer(0.2 + time_ / 5, os.kill, (pid, signal.Signals[what])).start()
        with pytest.raises(RunnerDied, match=f"signal {signal.Signals[what].value}"):
            session.run({"x": ONE})
        assert is_gone(pid)
        assert session.run({"x": ONE * 0}).outputs["y"].tolist() == [0] * 4


def test_a_child_that_dies_between_runs_is_replaced_unnoticed(host):
    with load(host) as session:
        (pid,) = session.pids
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        assert session.run({"x": ONE}).outputs["y"].tolist() == [2, 4, 6, 8]
        assert session.pids != [pid]


def test_a_child_that_stands_still_is_ended(host):
    with load(host, Limits(seconds=2)) as session:
        (pid,) = session.pids
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(RunTimedOut):
            session.run({"x": ONE})
        assert is_gone(pid)


def _with_code(wasm: bytes, old: bytes, new: bytes) -> bytes:
    assert wasm.count(old) == 1
    return wasm.replace(old, new)


def test_a_body_that_does_not_validate_is_refused(host):
    wasm = _with_code(
        modules.module(run="(i32.const 77) (drop) (i32.const 0)"), b"\x41\xcd\x00", b"\x20\x4d\x01"
    )
    with pytest.raises(ModuleMalformed, match="Wasmtime does not take it"):
        host.load(CompiledModule.parse(attach(wasm, modules.metadata())), NO_WEIGHTS)


@pytest.mark.parametrize(
    "more",
    [
        '(data (i32.const 65535) "ab")',
        "(table 100000 100000 funcref)",
        "(table 1 1 funcref) (table 1 1 funcref)",
    ],
)
def test_what_cannot_be_instantiated_is_refused(host, more):
    with pytest.raises(ModuleMalformed):
        load(host, more=more)


@pytest.mark.parametrize(
    "run",
    [
        "(drop (i8x16.relaxed_swizzle (local.get $v) (local.get $v))) (i32.const 0)",
        "(drop (i32.atomic.load (i32.const 0))) (i32.const 0)",
        "(return_call 1 (i32.const 0))",
    ],
)
def test_instructions_that_could_give_other_bits_elsewhere_are_refused(host, run):
    with pytest.raises(ModuleMalformed, match="Wasmtime does not take it"):
        load(host, run=f"(local $v v128) {run}")


def test_damaged_modules_run_or_are_refused_and_the_host_works_on(host):
    draw = random.Random(7)
    whole = modules.compiled(more='(table 2 2 funcref) (data (i32.const 64) "abcdefgh")')
    ran = refused = 0
    while ran + refused < 40:
        damaged = bytearray(whole)
        for _ in range(draw.choice([1, 1, 2, 4])):
            damaged[draw.randrange(8, len(whole))] = draw.randrange(256)
        try:
            module = CompiledModule.parse(bytes(damaged))
        except ModuleMalformed:
            continue
        try:
            with host.load(module, NO_WEIGHTS, limits=LIMITS) as session:
                session.run({"x": ONE})
            ran += 1
        except (RunFailed, ModuleMalformed):
            refused += 1
    assert ran
    assert refused
    with load(host) as session:
        assert session.run({"x": ONE}).outputs["y"].tolist() == [2, 4, 6, 8]


def test_a_child_has_no_secrets_and_no_rights(host):
    with load(host) as session:
        (pid,) = session.pids
        about = Path(f"/proc/{pid}")
        assert b"=" not in (about / "environ").read_bytes().replace(b"LC_CTYPE=C.UTF-8", b"")
        status = dict(line.split(":\t", 1) for line in (about / "status").read_text().splitlines())
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        limits = (about / "limits").read_text()
    most = LIMITS.memory_bytes + 513 * 1024**2
    for name, value in (("Max file size", 0), ("Max core file size", 0), ("Max data size", most)):
        found = next(line for line in limits.splitlines() if line.startswith(name))
        assert all(int(word) <= value for word in found[26:].split()[:2])


def test_what_a_child_says_is_one_plain_line():
    said = b"wasm \x1b[31mtrap\x07\n: \xff\xe2\x80\xae" + b"x" * 999
    assert plain(said) == ("wasm [31mtrap : \ufffd " + "x" * 999)[:300]


CONFINED = """
import ctypes, os, socket, subprocess, sys
from caimi.inference.wasm.hosting.confinement import confine
attempts = {
    "read a file": lambda: open("/etc/hostname"),
    "list a directory": lambda: os.listdir("/"),
    "look for a file": lambda: os.stat("/"),
    "write a file": lambda: os.open("/tmp/x", os.O_CREAT | os.O_WRONLY),
    "open a socket": lambda: socket.socket(),
    "start a process": lambda: os.fork(),
    "run a program": lambda: os.execv("/bin/true", ["true"]),
    "kill its parent": lambda: os.kill(os.getppid(), 0),
    "make memory that has a name": lambda: os.memfd_create("x"),
    "change its limits": lambda: __import__("resource").getrlimit(0),
}
for name in ("read a file", "list a directory", "open a socket", "kill its parent"):
    attempts[name]()
confine()
for name, attempt in attempts.items():
    try:
        attempt()
    except PermissionError:
        continue
    print(name)
print("end")
"""


def test_a_confined_process_can_reach_nothing():
    said = subprocess.run(
        [sys.executable, "-c", CONFINED], check=True, capture_output=True, text=True
    )
    assert said.stdout.split("\n") == ["end", ""]
