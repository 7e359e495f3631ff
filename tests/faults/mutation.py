"""Removes one guard at a time and demands that the schedules notice: ``python -m faults.mutation``.

The sources are copied, so that nothing in the checkout changes. A contract is built again with the
settings it is shipped with.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from faults.guards import GUARDS, Guard

_ROOT = Path(__file__).resolve().parents[2]
_EVM = Path("contracts/evm")
_ARTIFACTS = Path("src/caimi/ledgers/evm/artifacts")
_BREACH = re.compile(r"seed (\d+): (.*)")
_SECONDS = 900


class GuardNotFound(Exception):
    """The text of a guard is not in its file exactly once."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the schedules said when the guard was gone: nothing when `seed` is None."""

    guard: Guard
    seed: int | None
    breach: str
    seconds: float


def without(guard: Guard, text: str) -> str:
    """Give the source text without the guard.

    Raises:
        GuardNotFound: it is not there, or more than once.
    """
    if text.count(guard.present) != 1:
        raise GuardNotFound(f"{guard.path} has {text.count(guard.present)} times: {guard.present}")
    return text.replace(guard.present, guard.absent)


def _copy(root: Path, guard: Guard) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(_ROOT / "src", root / "src", ignore=ignored)
    if guard.contract:
        (root / _EVM).mkdir(parents=True)
        for name in ("foundry.toml", "solc"):
            shutil.copy2(_ROOT / _EVM / name, root / _EVM / name)
        shutil.copytree(_ROOT / _EVM / "src", root / _EVM / "src")
        (root / _EVM / "node_modules").symlink_to(_ROOT / _EVM / "node_modules")
    path = root / guard.path
    path.write_text(without(guard, path.read_text("utf-8")), "utf-8")


def _build(root: Path, contract: str) -> None:
    artifact = root / _ARTIFACTS / f"{contract}.json"
    document = json.loads(artifact.read_text("utf-8"))
    forge = next((_ROOT / _EVM).glob("node_modules/@foundry-rs/forge-*/bin/forge"))
    subprocess.run(
        [str(forge), "build", "--quiet", document["sourceName"]], cwd=root / _EVM, check=True
    )
    built = root / _EVM / "out" / Path(document["sourceName"]).name / f"{contract}.json"
    bytecode = json.loads(built.read_text("utf-8"))["bytecode"]["object"]
    if bytecode == document["bytecode"]:
        raise GuardNotFound(f"Without it {contract} compiles to the same bytecode.")
    document["bytecode"] = bytecode
    artifact.write_text(json.dumps(document), "utf-8")


def judge(guard: Guard, schedules: int) -> Verdict:
    """Remove a guard and play schedules until one notices, `schedules` at most.

    Raises:
        GuardNotFound: see `without`.
        subprocess.SubprocessError: the contract does not compile, or the schedules cannot run.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="caimi-mutation-") as folder:
        root = Path(folder)
        _copy(root, guard)
        if guard.contract:
            _build(root, guard.contract)
        path = os.pathsep.join([str(root / "src"), str(_ROOT / "tests")])
        command = [sys.executable, "-m", "faults", "--workers", "1"]
        command += ["--schedules", str(schedules), "--kind", guard.kind]
        played = subprocess.run(
            command,
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    said = _BREACH.search(played.stderr)
    if played.returncode not in (0, 1) or (played.returncode == 1 and said is None):
        raise subprocess.SubprocessError(f"{guard.name}: {played.stderr[-2_000:]}")
    seed, breach = (int(said[1]), said[2]) if said else (None, "")
    return Verdict(guard, seed, breach, time.monotonic() - began)


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge every guard, or those whose name contains a text; 1 when one is not missed."""
    parser = argparse.ArgumentParser(prog="faults.mutation", description=__doc__)
    parser.add_argument("--only", default="", help="judge guards whose name contains this")
    parser.add_argument(
        "--schedules", type=int, default=2_000, help="the most played for one guard"
    )
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    chosen = [guard for guard in GUARDS if options.only in guard.name]
    unnoticed = 0
    with ThreadPoolExecutor(options.workers) as pool:
        for verdict in pool.map(lambda guard: judge(guard, options.schedules), chosen):
            unnoticed += verdict.seed is None
            found = f"seed {verdict.seed}: {verdict.breach}" if verdict.seed else "NOT NOTICED"
            print(f"{verdict.guard.name:<58} {verdict.seconds:4.0f} s  {found}", flush=True)
    print(f"{len(chosen)} guards removed one at a time, {len(chosen) - unnoticed} noticed")
    return int(unnoticed > 0)


if __name__ == "__main__":
    sys.exit(main())
