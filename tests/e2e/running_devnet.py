"""A local network of processes in a directory, driven by the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
CAIMI = [sys.executable, "-m", "caimi.cli"]


class Devnet:
    """A running network in a directory, driven by the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, status: int | None = 0) -> dict[str, Any]:
        done = subprocess.run(
            [*CAIMI, *arguments, "--json"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert status in (None, done.returncode), f"{arguments}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*CAIMI, *arguments, "--json"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self, name: str) -> None:
        self.tell(name, signal.SIGKILL)
        time.sleep(0.5)

    def tell(self, name: str, number: signal.Signals) -> None:
        listed = json.loads((self.folder / ".caimi" / "processes.json").read_text())
        os.kill(next(entry["pid"] for entry in listed if entry["name"] == name), number)

    def publish(self, name: str) -> str:
        arguments = ("-n", name, "-v", "1.0.0", "-l", "a", "--price", "5", "-k", "alice")
        return self.run("publish", "model.onnx", *arguments)["uri"]


def earned(net: Devnet, key: str) -> dict[str, str]:
    return {each["ledger"]: each["amount"] for each in net.run("earnings", "-k", key)["earnings"]}


def eventually(read: Callable[[], T], wanted: T, seconds: float = 60.0) -> T:
    """Read until it is as wanted, or time is up: the relayer is at work meanwhile."""
    deadline = time.monotonic() + seconds
    while (found := read()) != wanted and time.monotonic() < deadline:
        time.sleep(1.0)
    return found
