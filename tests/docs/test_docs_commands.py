"""What the documents tell a reader to type exists: make targets, commands and their options."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer.main
from caimi.cli.app import app
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
        if (problem := _problem(command))
    ]
    assert wrong == []


@pytest.mark.parametrize("command", ["caimi nonsense", "caimi demo --nonsense"])
def test_a_command_that_does_not_exist_is_noticed(command):
    assert _problem(command)


def test_every_make_target_says_what_it_does(repository):
    makefile = (repository / "Makefile").read_text()
    phony = set(re.findall(r"^\.PHONY: ([\w-]+)$", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([\w-]+):.*## \S", makefile, re.MULTILINE))
    assert phony == explained


def test_the_continuous_check_runs_what_a_contributor_runs(repository: Path):
    assert "make test" in (repository / ".ci" / "run").read_text()


def _problem(command: str) -> str:
    """Say what in this command line the program would not know, or nothing."""
    words = shlex.split(re.split(r"\s[|>]\s", command)[0], comments=True)[1:]
    node: click.Command = typer.main.get_command(app)
    known = {"--help"} | _options(node)
    for word in words:
        if word.startswith("--"):
            if word.partition("=")[0] not in known:
                return f"no option {word}"
        elif isinstance(node, click.Group):
            found = node.commands.get(word)
            if found is None:
                return f"no command {word}"
            node = found
            known |= _options(node)
    return ""


def _options(node: click.Command) -> set[str]:
    return {name for param in node.params for name in [*param.opts, *param.secondary_opts]}
