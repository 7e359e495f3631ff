"""What the documents tell a reader to type exists: make targets, commands and their options."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from markdown_page import MarkdownPage

from caimi.cli.app import app


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


@pytest.mark.parametrize(
    "command", ["caimi nonsense", "caimi devnet nonsense", "caimi demo --nonsense"]
)
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
    node = typer.main.get_command(app)
    options = _options(node)
    words = iter(shlex.split(command, comments=True)[1:])
    for word in words:
        if word.startswith("-"):
            name, _, value = word.partition("=")
            if name not in options:
                return f"no option {name}"
            if not value and not options[name]:
                next(words, None)
        elif hasattr(node, "commands"):
            names = word.split("|")  # up|status|down
            unknown = [name for name in names if name not in node.commands]
            if unknown:
                return f"no command {unknown[0]}"
            node = node.commands[names[0]]
            options |= _options(node)
    return ""


def _options(node) -> dict[str, bool]:
    """Give the command's options, and whether each stands alone, without a value."""
    own = {
        name: getattr(param, "is_flag", False)
        for param in node.params
        for name in [*param.opts, *param.secondary_opts]
        if name.startswith("-")
    }
    return {"--help": True} | own
