"""What the documents tell a reader to type exists: make targets, commands and their options."""

import re
import shlex
from pathlib import Path

import pytest
from command_words import problem_of
from markdown_page import MarkdownPage


def test_every_make_target_that_a_document_names_exists(repository, documents):
    targets = set(
        re.findall(r"^([a-z][\w-]*):", (repository / "Makefile").read_text(), re.MULTILINE)
    )
    unknown = [
        f"{document}: {command}"
        for document in documents
        for command in MarkdownPage.read(repository / document).commands("make")
        for word in shlex.split(command, comments=True)[1:]
        if "=" not in word and word not in targets
    ]
    assert unknown == []


def test_every_caimi_command_that_a_document_names_exists(repository, documents):
    wrong = [
        f"{document}: {command}: {problem}"
        for document in documents
        for command in MarkdownPage.read(repository / document).commands("caimi")
        if (problem := problem_of(command))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "command", ["caimi nonsense", "caimi devnet nonsense", "caimi demo --nonsense"]
)
def test_a_command_that_does_not_exist_is_noticed(command):
    assert problem_of(command)


def test_every_make_target_says_what_it_does(repository):
    makefile = (repository / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: ([\w-]+)$", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([\w-]+):.*## \S", makefile, re.MULTILINE))
    assert phony == explained


def test_the_continuous_check_runs_what_a_contributor_runs(repository: Path):
    assert "make test" in (repository / ".ci" / "run").read_text()
