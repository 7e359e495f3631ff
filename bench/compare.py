"""``python -m bench.compare``: install what people know beside CAIMI, and measure it.

Every tool goes into a folder of its own, from its package registry; the table of docs/compare.md is
written anew. ``python -m bench.compare FOLDER`` keeps the installations there for the next time.
Seconds are those of the processor, user and system, so that other programs on the machine do not
count; they are the median of three. Needs a network, npm and some 3 GB of disk.
"""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "compare.md"
BEGIN, END = "<!-- compare:begin -->", "<!-- compare:end -->"
TIMES = 3
COLUMNS = (
    "tool",
    "version",
    "installed",
    "packages",
    "`--help`",
    "its memory",
    "`import`",
    "first result",
)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what installs it, its program, and what a Python program imports of it.

    `first` is a Python program or shell line that brings a first result with nothing but what was
    installed, and `result` says which.
    """

    name: str
    package: str
    program: str
    module: str = ""
    first: Sequence[str] = ()
    result: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor seconds and the largest resident set, in megabytes, of a program's processes."""

    seconds: float
    megabytes: float


REGISTER = """\
import mlflow, numpy as np
from sklearn.linear_model import LogisticRegression
mlflow.set_tracking_uri("sqlite:///mlflow.db")
rows = np.random.default_rng(0).normal(size=(100, 4))
model = LogisticRegression().fit(rows, rows[:, 0] > 0)
mlflow.sklearn.log_model(model, name="m", registered_model_name="m")
print(mlflow.sklearn.load_model("models:/m/1").predict(rows[:2]))
"""

PYTHON = (
    Tool(
        "CAIMI",
        str(ROOT),
        "caimi",
        "caimi",
        ("caimi", "demo", "--json"),
        "published, paid on another ledger, unlocked, run, checked, moved (`caimi demo`)",
    ),
    Tool("Hugging Face Hub", "huggingface_hub==2.4.0", "hf", "huggingface_hub"),
    Tool(
        "MLflow",
        "mlflow==3.17.2",
        "mlflow",
        "mlflow",
        ("python", "-c", REGISTER),
        "a model registered in a SQLite file, loaded and run",
    ),
    Tool("Flower", "flwr==1.42.0", "flwr", "flwr"),
)
NODE = (
    Tool("Hyperlane CLI", "@hyperlane-xyz/cli@44.0.2", "hyperlane"),
    Tool("Foundry cast", "@foundry-rs/cast@1.7.1", "cast"),
)


def main(arguments: list[str]) -> None:
    """Install, measure, print and write."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments[0] if arguments else temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        rows = [_python(tool, folder) for tool in PYTHON] + [_node(tool, folder) for tool in NODE]
    head = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    when = datetime.datetime.now(datetime.UTC).strftime("%-d %B %Y")
    said = f"On {when}, Python {platform.python_version()} on {platform.machine()}:"
    table = "\n".join(["", said, "", *head, *rows, ""])
    text = PAGE.read_text("utf-8")
    before, rest = text.split(BEGIN, 1)
    PAGE.write_text(before + BEGIN + table + rest[rest.index(END) :], "utf-8")
    sys.stdout.write(table)


def _python(tool: Tool, folder: Path) -> str:
    place = folder / tool.program
    programs = place / "bin"
    if not programs.is_dir():
        _run([sys.executable, "-m", "venv", str(place)])
        empty = _megabytes(place)
        _run([str(programs / "pip"), "install", "--quiet", tool.package])
        (place / "empty").write_text(str(empty))
    size = _megabytes(place) - float((place / "empty").read_text())
    listed = _run([str(programs / "pip"), "list", "--format=freeze"]).splitlines()
    names = [line for line in listed if not line.startswith(("pip==", "setuptools=="))]
    version = _run(
        [
            str(programs / "python"),
            "-c",
            f"import importlib.metadata as m; print(m.version({tool.module!r}))",
        ]
    )
    imported = _spent([str(programs / "python"), "-c", f"import {tool.module}"])
    return _row(tool, version, size, len(names), programs, imported)


def _node(tool: Tool, folder: Path) -> str:
    place = folder / tool.program
    if not place.is_dir():
        place.mkdir()
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _run(["npm", "install", *options, tool.package], place)
    modules = place / "node_modules"
    packages = [*modules.glob("*/package.json"), *modules.glob("@*/*/package.json")]
    version = tool.package.rpartition("@")[2]
    return _row(tool, version, _megabytes(place), len(packages), modules / ".bin", None)


def _row(
    tool: Tool, version: str, size: float, packages: int, programs: Path, imported: Spent | None
) -> str:
    helped = _spent([str(programs / tool.program), "--help"])
    first = "not measured"
    if tool.first:
        with tempfile.TemporaryDirectory() as temporary:
            words = [str(programs / tool.first[0]), *tool.first[1:]]
            first = f"{_once(words, Path(temporary)).seconds:.1f} s: {tool.result}"
    cells = [
        tool.name,
        version.strip(),
        f"{size:,.0f} MB",
        str(packages),
        f"{helped.seconds:.2f} s",
        f"{helped.megabytes:.0f} MB",
        f"{imported.seconds:.2f} s" if imported else "",
        first,
    ]
    return f"| {' | '.join(cells)} |"


def _spent(words: Sequence[str]) -> Spent:
    """Give the median of a program's seconds, started anew each time, caches warm."""
    _once(words, Path.cwd())
    runs = [_once(words, Path.cwd()) for _ in range(TIMES)]
    seconds = statistics.median(run.seconds for run in runs)
    return Spent(seconds, statistics.median(run.megabytes for run in runs))


def _once(words: Sequence[str], folder: Path) -> Spent:
    quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "FLWR_TELEMETRY_ENABLED": "0", "NO_COLOR": "1"}
    with subprocess.Popen(
        words,
        cwd=folder,
        env=os.environ | quiet,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words[0]} ended with {process.returncode}.")
    return Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3)


def _megabytes(folder: Path) -> float:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir()) / 1e6


def _run(words: Sequence[str], folder: Path | None = None) -> str:
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main(sys.argv[1:])
