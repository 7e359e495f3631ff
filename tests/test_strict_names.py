"""Names that become parts of paths: one form, and nothing else leads to a file."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from caimi.client.keyring import Keyring
from caimi.config import Config
from caimi.errors.ids import InvalidName
from caimi.errors.operations import KeyMissing
from caimi.names import check_alias, check_model_name, check_name, check_version, is_name

PIECES = [
    "..",
    "/",
    "\\",
    ".",
    "",
    "~",
    "\0",
    "\n",
    "a",
    "A",
    "é",
    "e\u0301",
    " ",
    "-",
    "C:",
    "%2e",
]
texts = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=8).map("".join))


@given(texts)
@example("")
@example("../evil")
@example("a\n")
@example("a" * 65)
def test_a_name_that_is_taken_stays_in_its_directory_and_means_the_same_everywhere(
    text: str,
) -> None:
    for check in (check_name, check_model_name, check_version, check_alias):
        with contextlib.suppress(InvalidName):
            taken = check(text, "a key") if check is check_name else check(text)
            place = Path("/keys") / f"{taken}.json"
            assert place.resolve().parent == Path("/keys")
            assert place.name == f"{text}.json"
            assert text.isascii()
            assert text.isprintable()
            assert text == text.strip()


@given(texts.filter(lambda text: not is_name(text)))
@example("../evil")
@example("")
def test_no_key_is_made_opened_or_read_by_what_is_no_name(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    root = tmp_path_factory.getbasetemp() / "named"
    (root / "home").mkdir(parents=True, exist_ok=True)
    (root / "evil.json").write_text('{"version": 3, "address": "%s"}' % ("11" * 20))
    keyring = Keyring(Config(home=root / "home"), lambda prompt: "correct horse")
    for use in (keyring.new, keyring.open, keyring.account):
        with pytest.raises(InvalidName):
            use(text)
    assert sorted(path.name for path in root.rglob("*")) == ["evil.json", "home"]


def test_a_good_name_that_is_not_there_is_missing_and_strange_files_are_not_listed(
    tmp_path: Path,
) -> None:
    (tmp_path / "keys").mkdir()
    for name in ("Alice.json", "a b.json", ".json", "note.txt"):
        (tmp_path / "keys" / name).write_text("")
    keyring = Keyring(Config(home=tmp_path))
    assert keyring.names() == []
    with pytest.raises(KeyMissing):
        keyring.account("alice")
