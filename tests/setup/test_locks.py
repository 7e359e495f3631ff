"""Set-up does not depend on the day: what is installed is what the locks name."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

import pytest
from package_index import NEWER, Index, installed_versions, locked_versions
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
PIPS = {"23.0": Path(sys.prefix) / "oldest-pip", "newest": None}
check = runpy.run_path(str(ROOT / "scripts" / "check-lock"))


def environment(folder: Path, pip: str) -> Path:
    """Make a virtual environment with a certain pip; give its site-packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    source = PIPS[pip]
    if source is None:
        import pip as newest  # noqa: PLC0415 - the one that the lock names

        source = Path(newest.__file__).parents[1]
    assert (source / "pip").is_dir(), "run `make dev`"
    shutil.copytree(source / "pip", site / "pip")
    (folder / ".created").touch()
    return site


def install(project: Path, target: str, lock: str, pip: str, without: str = ""):
    """Run the Makefile's own recipe against the index; give what it said and what is installed."""
    (project / "requirements").mkdir(parents=True)
    shutil.copytree(ROOT / "scripts", project / "scripts")
    makefile = (ROOT / "Makefile").read_text()
    assert without in makefile
    (project / "Makefile").write_text(makefile.replace(without, "") if without else makefile)
    index = Index()
    for path in (ROOT / "requirements").glob("*.txt"):
        content = index.mirror(path.read_text()) if path.name == lock else ""
        (project / "requirements" / path.name).write_text(content)
    site = environment(project / target.partition("/")[0], pip)
    with index.served() as address:
        done = subprocess.run(
            ["make", target],
            cwd=project,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(project),
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_INDEX_URL": address,
                "PIP_NO_CACHE_DIR": "1",
            },
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
    return done, installed_versions(site), index


@pytest.mark.parametrize(
    ("target", "lock", "pip"),
    [
        (".venv/.runtime", "runtime.txt", "newest"),
        (".venv/.dev", "dev.txt", "23.0"),
        (".venv-slither/.installed", "slither.txt", "23.0"),
    ],
)
def test_a_lock_is_installed_as_it_is_when_all_has_newer_releases(target, lock, pip, tmp_path):
    done, installed, index = install(tmp_path / "project", target, lock, pip)
    assert done.returncode == 0, done.stderr
    wanted = locked_versions((ROOT / "requirements" / lock).read_text())
    assert {re.sub(r"[-_.]+", "-", name).lower(): told for name, told in installed.items()} == {
        re.sub(r"[-_.]+", "-", name).lower(): told for name, told in wanted.items()
    }
    assert not [file for file in index.asked if f"-{NEWER}-" in file]


def test_the_index_is_one_on_which_resolving_fails(tmp_path):
    """With the recipe as it was, Debian's pip takes a newer release, and has no hash for it."""
    done, _, _ = install(
        tmp_path / "project", ".venv/.runtime", "runtime.txt", "23.0", without="--no-deps "
    )
    assert done.returncode != 0
    assert "hash" in done.stderr.lower()


def test_every_install_of_a_lock_is_by_the_one_recipe():
    makefile = (ROOT / "Makefile").read_text()
    recipes = re.findall(r"^\t.*(?:pip install|PIP_INSTALL|PIP_LOCKED).*$", makefile, re.MULTILINE)
    others = [recipe for recipe in recipes if "$(PIP_LOCKED) $<" not in recipe]
    assert len(recipes) == 6
    assert others == ["\t@$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable ."]


# -- what a lock lacks


@pytest.mark.parametrize("lock", ["runtime", "dev"])
def test_a_lock_holds_all_that_its_packages_need_with_their_extras(lock):
    named = [f"requirements/{lock}.in"] if lock == "dev" else []
    subprocess.run(
        [
            sys.executable,
            *("scripts/check-lock", f"requirements/{lock}.txt", "pyproject.toml", *named),
        ],
        cwd=ROOT,
        check=True,
    )


def lacks(lock: dict[str, str], *wanted: str) -> list[str]:
    found = check["missing"](lock, [Requirement(line) for line in wanted])
    return [line for line in found if "not in the lock" in line]


@pytest.mark.parametrize("gone", ["pydantic-core", "email-validator"])
def test_a_package_that_only_an_extra_needs_is_missed(gone):
    """`fastapi` alone does not need `email-validator`; `model-signing` asks for pydantic's."""
    lock = locked_versions((ROOT / "requirements" / "dev.txt").read_text())
    wanted = check["roots"](ROOT / "pyproject.toml") + check["roots"](
        ROOT / "requirements" / "dev.in"
    )
    assert lacks(lock, *map(str, wanted)) == []
    del lock[gone]
    assert lacks(lock, *map(str, wanted)) != []


class Distribution:
    def __init__(self, name: str, version: str, *requires: str) -> None:
        self.metadata = Message()
        self.metadata["Name"] = name
        self.version, self.requires = version, list(requires)


WORLD = {
    "a": Distribution("a", "1", "b[x]>=1", "z; extra == 'y'"),
    "b": Distribution("b", "1", "c; extra == 'x'", "d; extra == 'other'"),
    "c": Distribution("c", "1", "e>=2; python_version >= '3.13'"),
}


def world(name: str) -> Distribution:
    if name not in WORLD:
        raise PackageNotFoundError(name)
    return WORLD[name]


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        ({"a": "1"}, ["a's needs b[x]>=1, which is not in the lock"]),
        ({"a": "1", "b": "1"}, ['b\'s needs c; extra == "x", which is not in the lock']),
        (
            {"a": "1", "b": "1", "c": "1"},
            ['c\'s needs e>=2; python_version >= "3.13", which is not in the lock'],
        ),
        (
            {"a": "1", "b": "1", "c": "1", "e": "1"},
            [
                'c\'s needs e>=2; python_version >= "3.13", and 1 is in the lock',
                "e is in the lock and not installed",
            ],
        ),
        (
            {"a": "2", "b": "1"},
            [
                "a 1 is installed, and 2 is in the lock",
                'b\'s needs c; extra == "x", which is not in the lock',
            ],
        ),
    ],
)
def test_each_fault_of_a_lock_is_named(lock, expected):
    assert check["missing"](lock, [Requirement("a")], world) == expected


# -- the interpreter


def answering(folder: Path, name: str, version: str) -> None:
    """Put a program on the path that answers for an interpreter of some version."""
    folder.mkdir(exist_ok=True)
    script = f"""#!/bin/sh
[ "$1" = --version ] && echo "Python {version}" && exit
case "$2" in *version_info*)
    exec "{sys.executable}" -c "import sys; sys.version_info = ({version.replace(".", ", ")}); $2";;
esac
"""
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


def find_python(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("bash") or "bash", ROOT / "scripts" / "find-python"],
        env={"PATH": f"{folder}:{os.defpath}", "PYTHON": "", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("version", ["3.11.2", "3.13.0"])
def test_an_interpreter_that_the_locks_are_for_is_taken(version, tmp_path):
    for name in ("python3.13", "python3.12", "python3.11"):
        answering(tmp_path, name, "3.10.0")
    answering(tmp_path, "python3", version)
    assert find_python(tmp_path).stdout == f"{tmp_path}/python3\n"


@pytest.mark.parametrize("version", ["3.10.9", "3.14.0"])
def test_another_one_is_refused_with_the_way_out(version, tmp_path):
    for name in ("python3.13", "python3.12", "python3.11", "python3"):
        answering(tmp_path, name, version)
    done = find_python(tmp_path)
    assert done.returncode == 1
    assert "3.11, 3.12 or 3.13" in done.stderr
    assert version in done.stderr


def test_what_is_locked_takes_every_release_of_python_3_11():
    """Debian 12 has 3.11.2, and a later release may be what compiled the locks."""
    oldest = [
        f"{name} {asked}"
        for name in locked_versions((ROOT / "requirements" / "dev.txt").read_text())
        if "3.11.0" not in SpecifierSet(asked := metadata(name).get("Requires-Python") or "")
    ]
    assert oldest == []
