import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.errors.models import UnsafePath
from caimi.models.paths import check_distinct, check_path, fold


@pytest.mark.parametrize(
    "path",
    ["model.onnx", "a/b/c.bin", ".hidden",
     "weights-00001-of-00002.safetensors", "ä/日本.txt", "a b",
     "console.txt", "x" * 200],
)  # fmt: skip
def test_plain_paths_are_accepted(path):
    assert check_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", ".", "./a", "a/.", "a//b", "a/",
     "C:\\x", "C:x", "\\\\host\\share", "a\\b", "a\\..\\b", "~:x",
     "a\0b", "a\nb", "a\x1b[31m", "a\x7f", "a\u202eb", "a\u200bb", "a\ud800", "\ufeffa",
     "nul", "NUL.txt", "a/con", "COM1", "com¹.x", "aux .txt", "lpt9.onnx",
     "a.", "a /b", " a", "dir./b", 'a"b', "a*b", "a?b", "a<b", "a|b",
     ".git/config", "x/.GIT/hooks", "git~1/x", "e\u0301",
     "x" * 201, "/".join("x" * 150 for _ in range(8)), "/".join("x" for _ in range(33))],
)  # fmt: skip
def test_dangerous_paths_are_refused(path):
    with pytest.raises(UnsafePath):
        check_path(path)


@given(st.text(st.sampled_from("a.\\/:~ \0\u0301é"), max_size=12))
def test_an_accepted_path_stays_inside_on_every_system(path):
    try:
        check_path(path)
    except UnsafePath:
        return
    for flavour in (PurePosixPath, PureWindowsPath):
        pure = flavour(path)
        assert not pure.is_absolute()
        assert not pure.drive
        assert ".." not in pure.parts
    assert str(PurePosixPath(path)) == path
    assert PureWindowsPath(path).as_posix() == path


@pytest.mark.parametrize(
    "pair",
    [("a", "a"), ("a", "A"), ("straße", "STRASSE"), ("é", "E\u0301"), ("a", "a/b"), ("A/b", "a"),
     ("x/y", "X/Y")],
)  # fmt: skip
def test_paths_that_some_system_merges_are_refused(pair):
    with pytest.raises(UnsafePath):
        check_distinct(pair)


def test_paths_that_differ_are_accepted():
    check_distinct(["a", "b/a", "b/c", "ab"])


@given(st.text(max_size=20))
def test_folding_forgets_case_and_form(text):
    assert fold(text) == fold(unicodedata.normalize("NFD", text))
    assert fold(fold(text)) == fold(text)
