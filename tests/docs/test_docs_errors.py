"""The page of errors and the exception tree say the same."""

import pkgutil
from collections import Counter
from importlib import import_module

import pytest

import caimi
from caimi.errors import CaimiError
from caimi.errors.catalogue import CODE, entries, error_classes, render


@pytest.fixture(scope="module")
def every_subclass() -> set[type[CaimiError]]:
    """All errors that exist once every module of the package has been imported."""
    for module in pkgutil.walk_packages(caimi.__path__, prefix="caimi."):
        if not module.name.endswith(".__main__"):
            import_module(module.name)
    found: set[type[CaimiError]] = set()
    pending = [CaimiError]
    while pending:
        children = set(pending.pop().__subclasses__()) - found
        found |= children
        pending.extend(children)
    return {error for error in found if error.__module__.startswith("caimi.")}


def test_the_page_of_errors_is_what_the_source_says(repository):
    page = (repository / "docs" / "errors.md").read_text(encoding="utf-8")
    assert page == render(entries()), "run `make errors`"


def test_no_error_is_defined_outside_the_catalogue(every_subclass):
    assert every_subclass == set(error_classes())


def test_every_code_is_well_formed():
    assert [error for error in error_classes() if not CODE.fullmatch(error.code)] == []


def test_no_code_stands_for_two_errors():
    repeated = Counter(error.code for error in error_classes())
    assert [code for code, count in repeated.items() if count > 1] == []


def test_no_name_stands_for_two_errors():
    repeated = Counter(error.__name__ for error in error_classes())
    assert [name for name, count in repeated.items() if count > 1] == []


def test_every_error_says_what_it_means_why_and_what_next():
    silent = [
        entry
        for entry in entries()
        if not (entry.meaning.endswith(".") and entry.why and entry.next_step)
    ]
    assert silent == []
