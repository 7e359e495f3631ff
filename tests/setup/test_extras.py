"""A plain installation is small and does what most people need; the rest is named as what it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from caimi.errors.operations import ExtraMissing
from caimi.extras import EXTRAS, check_extras, extra_named
from distributions import needed

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IN_NO_WAY = """
import sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refusing())
"""


BASE = needed(PROJECT["dependencies"])
BEYOND = sorted(
    package
    for package, names in packages_distributions().items()
    if not {canonicalize_name(name) for name in names} & (BASE | {"caimi"})
)
"""What a plain installation cannot import."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the wheel, beside a start-up file that hides what it does not ask for."""
    folder = tmp_path_factory.mktemp("plain")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    (folder / "site" / "sitecustomize.py").write_text(f"REFUSED = {BEYOND!r}\n{IN_NO_WAY}")
    (folder / "caimi.toml").write_text("")
    (folder / "model.onnx").write_bytes(b"no model")
    return folder


def run(plain: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "caimi.cli", *words],
        cwd=plain,
        env={
            "PYTHONPATH": str(plain / "site"),
            "HOME": str(plain),
            "CAIMI_PASSPHRASE": "correct horse",
            "PATH": os.environ["PATH"],
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [["--help"], ["search"], ["keys", "new", "alice"], ["balance", "-k", "alice"], ["engines"]],
    ids=" ".join,
)
def test_what_most_people_need_works_from_the_wheel_alone(plain: Path, words: list[str]) -> None:
    done = run(plain, *words)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["compile", "model.onnx"], "wasm"),
        (["estimate", "model.onnx"], "wasm"),
        (["service", "node", "node.toml"], "service"),
        (["service", "relayer", "-k", "alice"], "service"),
        (["devnet", "up", "-d", "net"], "wasm|service"),
        (["demo"], "demo"),
    ],
    ids=str,
)
def test_an_extra_that_is_missing_is_named_with_what_to_type(
    plain: Path, words: list[str], extra: str
) -> None:
    json_too = [] if words[0] == "service" else ["--json"]
    done = run(plain, *words, *json_too)
    assert done.returncode == 1, done.stderr
    if json_too:
        error = json.loads(done.stdout)["error"]
        assert error["code"] == "CAIMI-C076"
        assert re.fullmatch(rf"Run `pip install 'caimi\[({extra})\]'`\.", error["next"])
    else:
        assert "CAIMI-C076" in done.stderr
        assert re.search(rf"caimi\[({extra})\]", done.stderr)


def test_test_models_are_not_in_the_wheel(plain: Path) -> None:
    assert (plain / "site" / "caimi").is_dir()
    assert not (plain / "site" / "caimi" / "zoo").exists()


def test_the_extras_bring_what_is_said_to_come_with_them() -> None:
    distributions = packages_distributions()
    for package, extra in EXTRAS.items():
        asked = PROJECT["optional-dependencies"][extra]
        brought = needed(line for line in asked if Requirement(line).name != "caimi")
        assert {canonicalize_name(name) for name in distributions[package]} & brought, package
        assert not {canonicalize_name(name) for name in distributions[package]} & BASE, package


def test_all_is_everything_but_the_database() -> None:
    extras = PROJECT["optional-dependencies"]
    named = {extra for line in extras["all"] for extra in Requirement(line).extras}
    assert named | {"all", "postgresql"} == extras.keys()


def test_only_a_package_of_an_extra_is_taken_for_one() -> None:
    with pytest.raises(ModuleNotFoundError), extra_named():
        raise ModuleNotFoundError("No module named 'mistyped'", name="mistyped")
    with pytest.raises(ExtraMissing, match="wasmtime"), extra_named():
        raise ModuleNotFoundError("No module named 'wasmtime'", name="wasmtime.loader")
    check_extras("service", "wasm", "demo")
