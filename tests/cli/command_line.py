"""Every command there is, each with arguments that it takes, run in a child of this process."""

from __future__ import annotations

import gc
import os
import pkgutil
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperOption

import caimi
from caimi.cli.app import app

for _module in pkgutil.walk_packages(caimi.__path__, prefix="caimi."):
    if not _module.name.endswith("__main__"):  # here once, and not anew in every child
        import_module(_module.name)

ID = "0x" + "11" * 32
ACCOUNT = "0x" + "22" * 20
URI = f"caimi:eip155:31337:{ID}@1.0.0"
NOBODY = 65534
SECONDS = 60
"""A service that finds all it needs goes on for ever: it is ended, and has not failed."""

TEXTS = {
    "uri": URI,
    "subject": URI,
    "name": "alice",
    "version": "1.0.0",
    "recipient": ACCOUNT,
    "operation": ID,
    "model": ID,
    "alias": "production",
    "delay": "3d",
    "signature": f"{ACCOUNT}:0x00",
    "ledger": "a",
    "source": "a",
    "destination": "b",
    "one": "a",
    "other": "b",
    "key": "alice",
    "most": "1",
    "amount": "1",
    "amount_per_day": "1",
}
SHORT = {("demo",): ["--model"], ("calibrate",): []}
"""Commands whose usual work takes long: options that end it early."""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Walk the tree of commands."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from commands(child, (*path, name))


PROGRAM = typer.main.get_command(app)
ALL = dict(commands(PROGRAM))


def takes(path: tuple[str, ...], name: str) -> bool:
    """Whether a command has an option of that name."""
    return any(parameter.name == name for parameter in ALL[path].params)


def arguments(path: tuple[str, ...], folder: Path, **given: str) -> list[str]:
    """Build a command line that is complete: what is required, and what `given` names."""
    words = list(path)
    flags: list[str] = []
    for parameter in ALL[path].params:
        option = isinstance(parameter, TyperOption)
        if parameter.name in given:
            value = given[parameter.name]
        elif parameter.required or (parameter.name == "directory"):
            value = _value(parameter, folder)
        elif parameter.name == "model" and path in SHORT:
            value = str(folder / "model.onnx")
        else:
            continue
        if parameter.name == "receiving":
            flags.append("--sending")
        elif option:
            flags += [parameter.opts[0], value]
        else:
            words.append(value)
    return [*words, *flags]


def _value(parameter: Any, folder: Path) -> str:
    kind = str(parameter.type_descriptor.annotation)
    if "Path" in kind:
        names = {"model": "model.onnx", "directory": ".", "output": "new.json"}
        return str(folder / names.get(parameter.name, "in.json"))
    if "int" in kind or "float" in kind:
        return str(parameter.min if parameter.min is not None else 1)
    return TEXTS.get(parameter.name, ACCOUNT)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; -1 as status when it went on."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def run(
    words: list[str],
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    within: Callable[[], None] = lambda: None,
    out: str | None = None,
) -> Ended:
    """Run a command line in a child; `within` changes the child's surroundings first."""
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # a child that collected would copy all that it shares
    pipes = [os.pipe(), os.pipe()]  # a file could not take what is told where no file may grow
    child = os.fork()
    if child == 0:
        _become(words, [writing for _, writing in pipes], env or {}, within, out)
    texts = []
    for _, writing in pipes:
        os.close(writing)
    for reading, _ in pipes:
        with os.fdopen(reading, "rb") as told:
            texts.append(told.read().decode("utf-8", "replace"))
    _, status = os.waitpid(child, 0)
    ended = os.waitstatus_to_exitcode(status)
    return Ended(-1 if ended == -signal.SIGALRM else ended, *texts)


def _become(
    words: list[str],
    outputs: list[int],
    env: Mapping[str, str],
    within: Callable[[], None],
    out: str | None,
) -> None:
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        nothing = os.open(os.devnull, os.O_RDONLY)
        written = outputs[0] if out is None else os.open(out, os.O_WRONLY)
        for given, number in ((nothing, 0), (written, 1), (outputs[1], 2)):
            os.dup2(given, number)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, encoding="utf-8", closefd=False)
            for number, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        os.environ.update(env)
        within()
        PROGRAM.main(words, prog_name="caimi")
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 99
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed
                stream.flush()
    except OSError:
        status = 120
    os._exit(status)


def without_privileges() -> None:
    """Become somebody who owns nothing here; who is no superuser is that already."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def no_room() -> None:
    """Let no file grow."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
