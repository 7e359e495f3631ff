"""Adding to caimi.toml: what the user wrote stays to the letter, or nothing is written."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.composition.config_file import add_to_ledger, with_added
from caimi.errors.deploying import ConfigNotWritten

ADDED = {"deployed_at": 7, "contracts": {"authority": "0x" + "11" * 20, "gateway": "0x22"}}
TEXT = """\
# mine
state = "state"   # do not touch

[[ledgers]]
id = "eip155:1"
name = "one"
endpoints = [
  "https://a.example.org",  # a friend's
]
# finality = "depth:12"

# the second
[[ledgers]]
id = "eip155:2"
name = "two"
rpc = "http://127.0.0.1:1"

[keys]
default = "alice"
"""


@pytest.mark.parametrize("ledger", ["eip155:1", "eip155:2"])
def test_what_is_added_is_all_that_changes(ledger: str) -> None:
    found = with_added(TEXT, ledger, ADDED)
    wanted = tomllib.loads(TEXT)
    next(each for each in wanted["ledgers"] if each["id"] == ledger).update(ADDED)
    assert tomllib.loads(found) == wanted
    lines = iter(found.splitlines())
    assert all(line in lines for line in TEXT.splitlines())  # in order, none lost


def test_it_stands_behind_the_tables_own_keys() -> None:
    found = with_added(TEXT, "eip155:2", ADDED)
    assert 'rpc = "http://127.0.0.1:1"\ndeployed_at = 7\n\n[ledgers.contracts]\n' in found
    assert found.index("[ledgers.contracts]") < found.index("[keys]")


def test_in_a_profile_it_stands_in_the_profiles_own_table() -> None:
    text = f'{TEXT}[[profiles.test.ledgers]]  # another\nid = "eip155:2"\nname = "two"\n'
    found = with_added(text, "eip155:2", ADDED, ("profiles", "test"))
    wanted = tomllib.loads(text)
    wanted["profiles"]["test"]["ledgers"][0].update(ADDED)
    assert tomllib.loads(found) == wanted
    assert found.startswith(text.rstrip())
    with pytest.raises(ValueError, match="0 tables"):
        with_added(text, "eip155:2", ADDED, ("profiles", "none"))


def test_the_ends_of_lines_stay_as_they_are() -> None:
    found = with_added(TEXT.replace("\n", "\r\n"), "eip155:2", ADDED)
    assert "\n" not in found.replace("\r\n", "")
    assert with_added('[[ledgers]]\nid = "x"', "x", {"a": 1}) == '[[ledgers]]\nid = "x"\na = 1\n'


@pytest.mark.parametrize(
    "text",
    [
        'ledgers = [{id = "eip155:1", name = "one"}]\n',
        '[[ledgers]]\nid = "eip155:2"\n',
        '[[ledgers]]\nid = "eip155:1"\ndeployed_at = 3\n',
        '[[ledgers]]\nid = "eip155:1"\n[[ledgers]]\nid = "eip155:1"\n',
        'note = """\n[[ledgers]]\n"""\n[[ledgers]]\nid = "eip155:1"\n',
        "ledgers = 3\n",
        "not toml",
    ],
)
def test_a_file_that_cannot_be_added_to_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "caimi.toml"
    file.write_text(text)
    with pytest.raises(ConfigNotWritten, match=r"deployed_at = 7\n\n\[ledgers.contracts\]"):
        add_to_ledger(file, "eip155:1", ADDED)
    assert file.read_text() == text


def test_the_file_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    file, link = tmp_path / "real.toml", tmp_path / "caimi.toml"
    file.write_text(TEXT)
    file.chmod(0o640)
    link.symlink_to(file)
    add_to_ledger(link, "eip155:1", ADDED)
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.read_text() == with_added(TEXT, "eip155:1", ADDED)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["caimi.toml", "real.toml"]


_lines = st.lists(
    st.sampled_from(
        [
            "",
            "# a note",
            "[[ledgers]]",
            'id = "x"',
            'id = "y"',
            "[keys]",
            "[ledgers.further]",
            'a = "[[ledgers]]"',
            "b = [",
            "]",
            '  "[keys]",',
            "c = '''",
            "'''",
            "[ ledgers ]",
            "d = {e = 1}",
        ]
    ),
    max_size=14,
)


@given(lines=_lines)
def test_whatever_is_written_nothing_but_the_addition_changes(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        found = with_added(text, "x", ADDED)
    except ValueError:
        return
    wanted = tomllib.loads(text)
    next(each for each in wanted["ledgers"] if each.get("id") == "x").update(ADDED)
    assert tomllib.loads(found) == wanted
