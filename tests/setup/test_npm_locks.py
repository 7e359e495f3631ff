"""npm takes what its locks name: they are whole, and what is installed is what they say."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts" / "evm"
PROJECTS = [CONTRACTS, ROOT / "bench" / "onnxruntime_web"]
EXACT = re.compile(r"\d+\.\d+\.\d+")
OTHER_PLATFORM = re.compile(r"@foundry-rs/\w+-(darwin|win32|linux)-(amd64|arm64)")


def packages(lock: Path) -> dict:
    return json.loads(lock.read_text())["packages"]


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_a_lock_is_of_its_package_and_names_exact_versions(project):
    """Where the two differ, npm resolves anew."""
    wanted = json.loads((project / "package.json").read_text())
    root = packages(project / "package-lock.json")[""]
    for kind in ("dependencies", "devDependencies", "optionalDependencies"):
        assert root.get(kind, {}) == wanted.get(kind, {})
        assert all(EXACT.fullmatch(version) for version in root.get(kind, {}).values())


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_a_lock_holds_a_hash_and_all_that_is_needed(project):
    locked = packages(project / "package-lock.json")
    for place, entry in locked.items():
        assert not place or entry["integrity"].startswith("sha512-"), place
        needs = entry.get("dependencies", {}) | entry.get("optionalDependencies", {})
        for name, version in needs.items():
            above = [place[: match.start()] for match in re.finditer(r"/node_modules/|$", place)]
            places = [f"{folder}/node_modules/{name}" for folder in above if folder]
            if not any(found in locked for found in (*places, f"node_modules/{name}")):
                # The registry does not have every platform's; of those that it has this version.
                assert name in entry["optionalDependencies"], name
                assert OTHER_PLATFORM.fullmatch(name), name
                assert EXACT.fullmatch(version), name


def test_what_is_installed_is_what_the_lock_names():
    locked = packages(CONTRACTS / "package-lock.json")
    installed = packages(CONTRACTS / "node_modules" / ".package-lock.json")
    assert installed
    for place, entry in installed.items():
        assert entry["version"] == locked[place]["version"], place
        assert entry["integrity"] == locked[place]["integrity"], place


def test_npm_is_told_to_run_no_script_and_to_ask_for_nothing_else():
    makefile = (ROOT / "Makefile").read_text()
    calls = re.findall(r"npm (?:install|ci) .*", makefile)
    assert len(calls) == 2
    for call in calls:
        assert {"--ignore-scripts", "--no-audit", "--no-update-notifier"} <= set(call.split())
