"""Building Fabric's peer and orderer from pinned Go modules: ``make fabric``.

The Go toolchain comes from a locked package, too, so that nothing has to be there but Python. What
was built is kept outside the checkout under a name that all it depends on decides, put there whole,
and never built twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from caimi.errors import CaimiError
from caimi.errors.fabric import FabricBuildFailed, FabricProgramsMissing
from caimi.ledgers.fabric.local.programs import (
    GO_FLAGS,
    LINKER_FLAGS,
    NAMES,
    FabricPrograms,
    ProgramSources,
    built_programs,
    check_programs,
    find_sources,
    write_sums,
)
from caimi.places import cache_folder

_PACKAGE: Final = "github.com/hyperledger/fabric/cmd/"
_PROCESSES: Final = 2
_PIP_LOCKED: Final = (
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "--requirement",
)
_MAX_SECONDS: Final = 1_800
_MAX_SAID: Final = 3_000
_KEPT_GO_SETTINGS: Final = frozenset({"GOPROXY", "GONOPROXY", "GOAUTH", "GOINSECURE"})


def build_programs(sources: ProgramSources) -> FabricPrograms:
    """Give the programs of these sources, built now if they never were.

    Several that ask at once wait for the first; one that is killed leaves nothing that is believed.

    Raises:
        FabricBuildFailed: the toolchain, a module or the compiler failed.
        FabricProgramsDamaged: what is kept, or what was built, has not the hashes written down.
    """
    with _alone(sources.folder()):
        built = built_programs(sources)
        if built is None:
            _build(sources)
            built = built_programs(sources)
        assert built is not None
        return built


def _build(sources: ProgramSources) -> None:
    go = _toolchain(sources)
    target = sources.folder()
    modules = target.parent / f".modules-{target.name}"
    with _scratch(target) as scratch:
        made = scratch / "programs"
        made.mkdir()
        _run(
            [str(go), "build", f"-p={_PROCESSES}", f"-ldflags={LINKER_FLAGS}", f"-o={made}/"]
            + [_PACKAGE + name for name in NAMES],
            sources.module,
            _go_environment(modules, scratch / "objects"),
        )
        write_sums(made)
        if expected := sources.expected():
            check_programs(made, expected)
        _flush(made)
        made.rename(target)
    shutil.rmtree(modules, ignore_errors=True)  # kept where a build fails, to go on from there


def _toolchain(sources: ProgramSources) -> Path:
    """Give the go program of the locked package, installed into a folder named by the lock."""
    key = hashlib.sha256(sources.toolchain.read_bytes()).hexdigest()[:32]
    target = cache_folder() / "go" / key
    go = target / "go" / "bin" / "go"
    with _alone(target):
        if not target.is_dir():
            with _scratch(target) as scratch:
                made = scratch / "go"
                _run(
                    [sys.executable, *_PIP_LOCKED, str(sources.toolchain), f"--target={made}"],
                    sources.root,
                    dict(os.environ),
                )
                made.rename(target)
    if not os.access(go, os.X_OK):
        raise FabricBuildFailed(f"{target} holds no Go toolchain.", next_step=f"Remove {target}.")
    return go


def _go_environment(modules: Path, objects: Path) -> dict[str, str]:
    """Give an environment in which go builds the same bytes wherever it runs.

    Modules are checked against go.sum, which has them all: no other database is asked.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GO", "CGO")) or name in _KEPT_GO_SETTINGS
    }
    return kept | {
        "GOENV": "off",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": " ".join(GO_FLAGS),
        "GOSUMDB": "off",
        "GOWORK": "off",
        "GOMODCACHE": str(modules),
        "GOCACHE": str(objects),
        "GOPATH": str(modules.parent / "gopath"),
        "GOTELEMETRY": "off",
        "GOAMD64": "v1",
        "CGO_ENABLED": "0",
    }


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    nice = shutil.which("nice")
    try:
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            ([nice, "-n", "10"] if nice else []) + command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_MAX_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FabricBuildFailed(f"{Path(command[0]).name} could not be run: {error}.") from error
    if done.returncode:
        said = (done.stdout + done.stderr)[-_MAX_SAID:].decode(errors="replace").strip()
        raise FabricBuildFailed(f"{Path(command[0]).name} ended with {done.returncode}: {said}")


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Let one process at a time make what is to be at `target`; a lock dies with its process."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (target.parent / f".{target.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    """Give an empty folder beside `target`, and leave none there, be it of one that was killed."""
    place = target.parent / f".making-{target.name}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _flush(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def main() -> int:
    """Build them and print where they are."""
    try:
        sources = find_sources()
        if sources is None:
            raise FabricProgramsMissing(
                "There is no contracts/fabric/nodes here or above.",
                next_step="Run this in a checkout of CAIMI.",
            )
        print(build_programs(sources).peer.parent)
    except CaimiError as error:
        print(f"error: {error}\n  why:  {error.why}\n  next: {error.next_step}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
