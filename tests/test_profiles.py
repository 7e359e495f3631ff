"""Several networks of one person: which one is meant is never guessed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from caimi.config import load_config, profile_names
from caimi.errors.ids import InvalidName
from caimi.errors.operations import ConfigInvalid, UnknownProfile
from caimi.profiles import choose_profile

CONFIG = """
state = "mine"
[keys]
default = "alice"
[profiles.test]
[profiles.test.delivery]
wait_seconds = 7
[profiles.own]
state = "elsewhere"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CAIMI_CONFIG", raising=False)
    monkeypatch.delenv("CAIMI_PROFILE", raising=False)
    (tmp_path / "caimi.toml").write_text(CONFIG)
    folder = tmp_path / "home" / ".config" / "caimi"
    folder.mkdir(parents=True)
    (folder / "far.toml").write_text('[keys]\ndefault = "carol"\n')
    (folder / "test.toml").write_text('[keys]\ndefault = "hidden"\n')
    yield tmp_path
    choose_profile(None)


def test_without_a_profile_the_file_itself_is_meant() -> None:
    assert (load_config().state, load_config().keys.default) == ("mine", "alice")


def test_a_profile_says_all_itself_and_has_a_state_of_its_own(here: Path) -> None:
    found = load_config(profile="test")
    assert (found.delivery.wait_seconds, found.keys.default) == (7, None)
    assert found.path(found.state) == here / "state-test"
    assert load_config(profile="own").state == "elsewhere"


def test_a_file_of_the_users_folder_is_a_profile_too(here: Path) -> None:
    found = load_config(profile="far")
    assert found.keys.default == "carol"
    assert found.path(found.state) == here / "home" / ".config" / "caimi" / "state-far"
    assert profile_names() == ["far", "own", "test"]


def test_it_is_named_by_argument_choice_or_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIMI_PROFILE", "far")
    assert load_config().keys.default == "carol"
    choose_profile("own")
    assert load_config().state == "elsewhere"
    assert load_config(profile="test").state == "state-test"


def test_one_that_there_is_not_is_named_with_those_there_are(here: Path) -> None:
    with pytest.raises(UnknownProfile, match="'nowhere'; there are: far, own, test"):
        load_config(profile="nowhere")
    with pytest.raises(UnknownProfile, match="there are: own, test"):
        load_config(here / "caimi.toml", profile="far")  # of this file, and of no other
    with pytest.raises(InvalidName):
        load_config(profile="../far")


def test_a_profile_is_read_as_strictly_as_a_file(here: Path) -> None:
    for said in ("unknown = 1", "home = '/'", "[profiles.bad.profiles.x]", "[profiles.Bad]"):
        text = said if said.startswith("[") else f"[profiles.bad]\n{said}"
        (here / "caimi.toml").write_text(text)
        with pytest.raises(ConfigInvalid):
            load_config(profile="bad")
    (here / "caimi.toml").write_text("profiles = 3")
    with pytest.raises(ConfigInvalid):
        load_config()


def test_without_any_file_the_users_folder_is_enough(here: Path) -> None:
    (here / "caimi.toml").unlink()
    assert load_config(profile="far").keys.default == "carol"
