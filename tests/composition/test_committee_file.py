"""A committee is added to caimi.toml once, and the rest stays as its owner wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from caimi.composition.committee_file import add_committee, check_addable, committee_text
from caimi.config import CommitteeSection, CustodianSection, load_config
from caimi.errors.deploying import ConfigNotWritten

OWN = '# mine\nstate = "here"   # and this\n\n[tls]\ntrust = ["a.pem"]'


def section(group_key: str = "0x01") -> CommitteeSection:
    custodians = [
        CustodianSection(
            index=index,
            url=f"https://node-{index}.example.org:9001",
            account=f"0x{'11' * 20}",
            trust="trust/ours.pem",
        )
        for index in (1, 2)
    ]
    return CommitteeSection(group_key=group_key, custodians=custodians)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "caimi.toml"
    made.write_text(OWN)
    made.chmod(0o600)
    return made


def test_it_is_added_and_nothing_else_changes(file: Path) -> None:
    assert add_committee(file, section())
    assert file.read_text() == f"{OWN}\n\n{committee_text(section())}"
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_config(file).committee == section()


def test_the_same_again_is_nothing_and_another_is_refused(file: Path) -> None:
    add_committee(file, section())
    before = file.read_bytes()
    assert not add_committee(file, section())
    with pytest.raises(ConfigNotWritten, match="another committee"):
        add_committee(file, section("0x02"))
    assert file.read_bytes() == before


@pytest.mark.parametrize("text", ["no toml at all", "[tls", "a = 1\na = 2"])
def test_a_file_that_says_nothing_whole_is_left_as_it_is(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigNotWritten) as caught:
        add_committee(file, section())
    assert "node-1.example.org" in caught.value.what  # what is to be written by hand
    assert file.read_text() == text
    assert "yourself" in caught.value.next_step
    assert "ledger" not in caught.value.next_step
    with pytest.raises(ConfigNotWritten):
        check_addable(file, section().custodians)


def test_a_profiles_committee_stands_in_the_profiles_own_table(file: Path) -> None:
    within = ("profiles", "test")
    text = f"{OWN}\n[profiles.test.keys]\ndefault = 'alice'\n{committee_text(section('0x03'))}"
    file.write_text(text)
    check_addable(file, section().custodians, within)
    assert add_committee(file, section(), within)
    assert file.read_text().startswith(f"{text}\n[profiles.test.committee]\n")
    assert load_config(file, "test").committee == section()
    assert load_config(file).committee == section("0x03")
    assert not add_committee(file, section(), within)
    with pytest.raises(ConfigNotWritten, match=r"\[profiles.test.committee\]"):
        add_committee(file, section("0x02"), within)


def test_a_profile_that_is_no_longer_there_is_not_made(file: Path) -> None:
    with pytest.raises(ConfigNotWritten):
        add_committee(file, section(), ("profiles", "test"))
    assert file.read_text() == OWN


def test_another_committee_is_refused_before_there_is_a_key(file: Path) -> None:
    check_addable(file, section().custodians)
    add_committee(file, section("0x02"))
    check_addable(file, section().custodians)  # the same members: their command goes on
    with pytest.raises(ConfigNotWritten, match="another committee") as caught:
        check_addable(file, section().custodians[:1])
    assert "[committee]" in caught.value.next_step
