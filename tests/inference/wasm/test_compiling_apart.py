"""A file is read and compiled in a process apart: what that dies of is told by name."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

import onnx_models as models

from caimi.errors.inference import (
    CompilerFailed,
    ModelEndsItsProcess,
    ModelNotRunnable,
    WrongInput,
)
from caimi.inference.confined.process import ConfinedProcess, Program, fork, nursery
from caimi.inference.meter import Meter
from caimi.inference.wasm.compiling import apart
from caimi.inference.wasm.compiling.apart import compile_apart, rows_stay_apart_told
from caimi.inference.wasm.compiling.compiler import compile_files
from caimi.inference.wasm.compiling.variants import SIMD


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return models.saved(tmp_path, models.perceptron())


def test_a_process_apart_gives_the_same_module(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CAIMI_PASSPHRASE", "secret")
    nursery(apart.compiler).close()
    environment = Path(f"/proc/{nursery(apart.compiler).pid}/environ").read_bytes()
    assert b"CAIMI" not in environment
    assert compile_apart(file, SIMD) == compile_files(file, SIMD)


def test_refusals_are_told_as_they_are(file: Path, tmp_path: Path):
    (tmp_path / "x").mkdir()
    custom = models.saved(tmp_path / "x", models.with_custom_operator())
    with pytest.raises(ModelNotRunnable, match=r"custom operator"):
        compile_apart(custom, SIMD)
    with pytest.raises(WrongInput):
        compile_apart(file, SIMD, shapes={"x": (1, 5)})
    assert rows_stay_apart_told(file)


def test_what_takes_too_long_is_ended_and_told(file: Path):
    with pytest.raises(ModelEndsItsProcess, match=r"not read within 0\.1 seconds"):
        compile_apart(file, SIMD, seconds=0.1)
    assert not rows_stay_apart_told(file, seconds=0)


async def test_a_process_that_dies_is_told_by_name_and_the_next_one_works(
    file: Path, monkeypatch: pytest.MonkeyPatch
):
    """As a crash of native code in it would be."""

    def dying(program: Program) -> ConfinedProcess:
        process = fork(program)
        signal.pidfd_send_signal(process._handle, signal.SIGSEGV)
        return process

    meter = Meter(file)
    with monkeypatch.context() as patched:
        patched.setattr(apart, "fork", dying)
        with pytest.raises(ModelEndsItsProcess, match=r"signal 11"):
            compile_apart(file, SIMD)
        with pytest.raises(ModelEndsItsProcess, match=r"signal 11"):
            await meter.usage({"x": (3, 4)})
    assert rows_stay_apart_told(file)
    assert (await meter.usage({"x": (3, 4)})).fuel > 0


def test_an_error_of_our_own_is_no_refusal(file: Path):
    with pytest.raises(CompilerFailed, match=r"KeyError"):
        apart.ask_apart("no such work", {}, file.name, 60)


def test_a_lower_limit_that_was_there_before_stays(file: Path, tmp_path: Path):
    program = tmp_path / "limited.py"
    program.write_text(
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from caimi.inference.confined.limits import machine_share\n"
        "from caimi.inference.onnx_engine import OnnxEngine\n"
        "from caimi.inference.wasm.compiling.apart import rows_stay_apart_told\n"
        "for limit, most in ((resource.RLIMIT_DATA, machine_share() - 4096),\n"
        "                    (resource.RLIMIT_NOFILE, 60), (resource.RLIMIT_CPU, 300)):\n"
        "    resource.setrlimit(limit, (most, most))\n"
        "OnnxEngine().load(Path(sys.argv[1])).close()\n"
        "print(rows_stay_apart_told(Path(sys.argv[1])))\n"
    )
    said = subprocess.run(
        [sys.executable, str(program), str(file)], capture_output=True, text=True, check=False
    )
    assert said.stdout == "True\n", said.stderr
