"""The comparison says why where we lack something, and when and of which versions it speaks."""

import re
from importlib import import_module

import pytest


@pytest.fixture
def page(repository) -> str:
    return (repository / "docs" / "compare.md").read_text("utf-8")


def _rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_row_where_ours_lacks_something_says_why(page):
    wanted = _rows(page[page.index("## By what one wants to do") :])
    assert len(wanted) > 20
    assert {len(row) for row in wanted} == {7}
    lacking = [row for row in wanted if "lack" in row[1]]
    assert lacking
    silent = [row[0] for row in lacking if not re.search(r"\*\*lacks\*\*[^:]*: \w.{15,}", row[1])]
    assert silent == []


def test_what_was_measured_is_dated_and_of_the_versions_that_are_installed(
    page, repository, monkeypatch
):
    monkeypatch.syspath_prepend(str(repository))
    compare = import_module("bench.compare")
    measured = page[page.index(compare.BEGIN) : page.index(compare.END)]
    assert re.search(r"^On \d{1,2} \w+ 20\d\d, Python 3\.\d+", measured, re.MULTILINE)
    rows = {row[0]: row[1] for row in _rows(measured)[1:]}
    assert list(rows) == [tool.name for tool in (*compare.PYTHON, *compare.NODE)]
    for tool in (*compare.PYTHON[1:], *compare.NODE):
        assert tool.package.endswith(rows[tool.name])


def test_what_was_not_tried_names_its_page(page):
    named = set(re.findall(r"\[doc\]\[(\w+)\]", page))
    given = dict(re.findall(r"^\[(\w+)\]: (https://\S+)$", page, re.MULTILINE))
    assert named == set(given)
