"""Fabric's own programs, peer and orderer: where they are, and whether they are the right ones."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.errors.fabric import FabricProgramsDamaged, FabricProgramsMissing
from caimi.places import cache_folder

FABRIC_VARIABLE: Final = "CAIMI_FABRIC"
NAMES: Final = ("orderer", "peer")
GO_FLAGS: Final = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-modcacherw")
LINKER_FLAGS: Final = "-s -w -buildid="
SUMS: Final = "programs.sha256"
_NODES: Final = Path("contracts/fabric/nodes")
_GO_LOCK: Final = Path("requirements/go.txt")
_MAX_SUMS: Final = 10_000


@dataclass(frozen=True, slots=True)
class FabricPrograms:
    """The programs of one release."""

    peer: Path
    orderer: Path

    @classmethod
    def inside(cls, folder: Path) -> FabricPrograms:
        """Give those in a folder, there or not."""
        return cls(folder / "peer", folder / "orderer")

    def runnable(self) -> bool:
        """Tell whether this user may run both."""
        return all(os.access(program, os.X_OK) for program in (self.peer, self.orderer))


@dataclass(frozen=True, slots=True)
class ProgramSources:
    """What the programs are built from, in a checkout at `root`."""

    root: Path

    @property
    def module(self) -> Path:
        """The Go module that requires Fabric: go.mod and go.sum."""
        return self.root / _NODES

    @property
    def toolchain(self) -> Path:
        """The lock of the Go toolchain."""
        return self.root / _GO_LOCK

    def key(self) -> str:
        """Give a name (32 hex digits) for all that the programs depend on."""
        digest = hashlib.sha256()
        files = (self.module / "go.mod", self.module / "go.sum", self.toolchain)
        texts = (" ".join(GO_FLAGS), LINKER_FLAGS, machine())
        for part in (*(file.read_bytes() for file in files), *(text.encode() for text in texts)):
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()[:32]

    def folder(self) -> Path:
        """Give where the programs are kept once they are built."""
        return cache_folder() / "fabric" / self.key()

    def expected(self) -> dict[str, str]:
        """Give each program's SHA-256 where this kind of machine's are written down."""
        return _sums(self.module / SUMS, prefix=f"{machine()}/")


def machine() -> str:
    """Name this kind of machine, such as ``linux-x86_64``."""
    return f"{platform.system().lower()}-{platform.machine().lower()}"


def find_sources() -> ProgramSources | None:
    """Find the checkout that says what Fabric is built from: here or above, or the package's."""
    for folder in (Path.cwd(), *Path.cwd().parents, *Path(__file__).resolve().parents):
        if (folder / _NODES / "go.sum").is_file() and (folder / _GO_LOCK).is_file():
            return ProgramSources(folder)
    return None


def find_programs() -> FabricPrograms:
    """Find the programs: in ``$CAIMI_FABRIC``, built by a checkout's `make fabric`, or on the path.

    What was built is held against its hashes first.

    Raises:
        FabricProgramsMissing: they are nowhere.
        FabricProgramsDamaged: what was built has changed since.
    """
    named = os.environ.get(FABRIC_VARIABLE)
    if named:
        programs = FabricPrograms.inside(Path(named))
        if not programs.runnable():
            raise FabricProgramsMissing(
                f"{FABRIC_VARIABLE} names {named}, which does not hold peer and orderer."
            )
        return programs
    sources = find_sources()
    if sources is not None and (built := built_programs(sources)) is not None:
        return built
    peer, orderer = shutil.which("peer"), shutil.which("orderer")
    if sources is not None or peer is None or orderer is None:
        where = f"{sources.folder()} is not there" if sources else "They are not on the path"
        raise FabricProgramsMissing(f"Fabric's peer and orderer were not found: {where}.")
    return FabricPrograms(Path(peer), Path(orderer))


def built_programs(sources: ProgramSources) -> FabricPrograms | None:
    """Give what was built from these sources; None if nothing was yet.

    Raises:
        FabricProgramsDamaged: the files are not what was built.
    """
    folder = sources.folder()
    if not folder.is_dir():
        return None
    check_programs(folder, sources.expected() or _sums(folder / SUMS))
    return FabricPrograms.inside(folder)


def check_programs(folder: Path, expected: Mapping[str, str]) -> None:
    """Hold the programs in a folder against their SHA-256.

    Raises:
        FabricProgramsDamaged: one is missing or differs.
    """
    for name in NAMES:
        try:
            found = _sha256(folder / name)
        except OSError as error:
            raise FabricProgramsDamaged(f"{folder / name} cannot be read: {error}.") from error
        if found != expected.get(name):
            raise FabricProgramsDamaged(
                f"{folder / name} has SHA-256 {found}, not {expected.get(name, 'any known')}."
            )


def write_sums(folder: Path) -> None:
    """Write down what the programs in a folder hash to."""
    lines = [f"{_sha256(folder / name)}  {name}\n" for name in NAMES]
    (folder / SUMS).write_text("".join(lines), encoding="ascii")


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _sums(file: Path, prefix: str = "") -> dict[str, str]:
    try:
        with file.open(encoding="ascii") as opened:
            lines = opened.read(_MAX_SUMS).splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = [line.partition("  ") for line in lines]
    return {name.removeprefix(prefix): sum_ for sum_, _, name in pairs if name.startswith(prefix)}
