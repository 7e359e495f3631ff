"""What an installed CAIMI carries with it."""

import subprocess
import sys
import zipfile
from email.parser import Parser

import pytest


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    target = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=repository,
        check=True,
        capture_output=True,
    )
    (built,) = target.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        yield archive


def test_the_wheel_has_every_file_of_the_package(wheel, tracked_files):
    package = {
        path.relative_to("src").as_posix() for path in tracked_files if path.parts[0] == "src"
    }
    assert package - set(wheel.namelist()) == set()
    assert "caimi/py.typed" in package


def test_the_wheel_has_nothing_but_the_package_and_its_metadata(wheel):
    foreign = [
        name
        for name in wheel.namelist()
        if not name.startswith(("caimi/", "caimi-")) or "__pycache__" in name
    ]
    assert foreign == []


def test_the_wheel_carries_the_contracts_artifacts(wheel):
    artifacts = [name for name in wheel.namelist() if "/artifacts/" in name]
    assert {name.rsplit("/", 1)[1] for name in artifacts} >= {
        "CommitteeClient.json",
        "Gateway.json",
        "LicenceMarket.json",
        "ModelBridge.json",
        "ModelRegistry.json",
    }


def test_the_wheel_carries_its_licence(wheel):
    (metadata,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    fields = Parser().parsestr(wheel.read(metadata).decode())
    assert fields["License-Expression"] == "Apache-2.0"
    assert metadata.replace("METADATA", "licenses/LICENSE") in wheel.namelist()


def test_the_wheel_puts_the_command_on_the_path(wheel):
    (entry_points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "caimi = caimi.cli.app:main" in wheel.read(entry_points).decode()
