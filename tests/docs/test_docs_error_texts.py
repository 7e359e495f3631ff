"""What errors tell people: sentences, and advice that names only what is there."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from command_words import all_options, problem_of
from error_texts import HOLE, SOURCES, ErrorText, error_texts
from pydantic import BaseModel

from caimi.config import Config
from caimi.ledgers.evm.settings import EvmSettings
from caimi.ledgers.fabric.settings import FabricSettings
from caimi.node.settings import NodeSettings

TEXTS = error_texts()
QUOTED = re.compile(r"`([^`]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
TABLE = re.compile(r"\[\[?([a-z][a-z_.]*)\]\]?")
SETTING = re.compile(
    r"\b([a-z_]+) (?:in|under) (?:\[|caimi\.toml|node\.toml)|\b[Ss]et ([a-z_]+) to\b"
)
FILE = re.compile(r"(?<![\w/.])docs/[\w./-]+\.md")
SECTION = re.compile(r"(docs/[\w-]+\.md), section (\w+)")
VARIABLE = re.compile(r"\$?\b(CAIMI_[A-Z]+)\b")
MODULE = re.compile(r"python -m ([a-z.]+)")
EXTRA = re.compile(r"\bcaimi\[(\w+)\]")
PROGRAMS = {"chmod", "df", "ls", "peer", "pip", "ps", "ss", "ulimit", "unset"}
"""What every system and Python has, Fabric's administrators have `peer`; besides ours and what a
checkout has by `make`.
"""
PROSE = {"address", "addresses", "ledger", "path", "provider", "route"}
"""What else may stand before "in caimi.toml"."""


def _names(model: type[BaseModel], into: set[str]) -> set[str]:
    for name, field in model.model_fields.items():
        into.add(name)
        pending: list[Any] = [field.annotation]
        while pending:
            kind = pending.pop()
            pending += get_args(kind)
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                _names(kind, into)
    return into


SETTINGS = set().union(
    *(_names(kind, set()) for kind in (Config, NodeSettings, EvmSettings, FabricSettings))
)


def _of(part: str = "") -> list[ErrorText]:
    return [text for text in TEXTS if part in ("", text.part)]


def _shown(text: ErrorText) -> str:
    return f"{text.where} {text.error}: {text.text}"


def test_errors_begin_with_a_capital_and_end_with_a_full_stop() -> None:
    wrong = []
    for text in _of():
        said = text.text.rstrip()
        # A hole is a value: a name keeps its own case, and another error's text ends by itself.
        begins = said[:1].isupper() or said[:1].isdigit() or said[:1] in f"{HOLE}'\"`$(/"
        if said and not ((begins or said.startswith("--")) and said.endswith((".", "?", HOLE))):
            wrong.append(_shown(text))
    assert wrong == []


def test_no_error_ends_with_two_full_stops() -> None:
    ends = re.compile(r"\.what\}\.")
    wrong = [
        str(file)
        for file in SOURCES.rglob("*.py")
        if "errors" not in file.parts and ends.search(file.read_text("utf-8"))
    ]
    assert wrong == []


def test_every_command_in_an_error_exists_with_its_options(repository: Path) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (repository / "Makefile").read_text(), re.M))
    wrong = []
    for text in _of():
        for command in QUOTED.findall(text.text):
            words = command.split()
            match words[0]:
                case "caimi":
                    problem = problem_of(command.replace(HOLE, "x"))
                case "make":
                    problem = "" if set(words[1:]) <= targets else "no such target"
                case program if len(words) > 1 or program in PROGRAMS:
                    problem = "" if program in PROGRAMS else "no such program"
                case _:
                    problem = ""  # a word, not a command
            if problem:
                wrong.append(f"{_shown(text)}: {problem}")
    assert wrong == []


def test_every_option_in_an_error_exists() -> None:
    options = all_options()
    wrong = [_shown(t) for t in _of() if set(OPTION.findall(t.text)) - options]
    assert wrong == []


def test_every_setting_in_an_error_exists() -> None:
    wrong = []
    for text in _of("next"):
        said = EXTRA.sub("", text.text)
        named = {name for table in TABLE.findall(said) for name in table.split(".")}
        named |= {name for both in SETTING.findall(said) for name in both if name}
        named -= PROSE
        if named - SETTINGS:
            wrong.append(f"{_shown(text)}: {sorted(named - SETTINGS)}")
    assert wrong == []


def test_every_extra_in_an_error_exists(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    named = {name for text in _of() for name in EXTRA.findall(text.text)}
    assert named
    assert named <= project["optional-dependencies"].keys()


def test_every_document_and_section_in_an_error_exists(repository: Path) -> None:
    wrong = []
    for text in _of():
        for file in FILE.findall(text.text):
            if not (repository / file).is_file():
                wrong.append(_shown(text))
        for file, section in SECTION.findall(text.text):
            if not re.search(rf"^#+ .*{section}", (repository / file).read_text(), re.M):
                wrong.append(_shown(text))
        for module in MODULE.findall(text.text):
            place = repository / module.rstrip(".").replace(".", os.sep)
            if not (place.is_dir() or place.with_suffix(".py").is_file()):
                wrong.append(_shown(text))
    assert wrong == []


def test_every_variable_in_an_error_is_read() -> None:
    read = {
        node.value
        for file in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    wrong = [_shown(t) for t in _of() for name in VARIABLE.findall(t.text) if name not in read]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("run it.", test_errors_begin_with_a_capital_and_end_with_a_full_stop),
        ("Run it", test_errors_begin_with_a_capital_and_end_with_a_full_stop),
        ("See `caimi history --local`.", test_every_command_in_an_error_exists_with_its_options),
        ("Run `npm ci`.", test_every_command_in_an_error_exists_with_its_options),
        ("Pin it with --input-dim.", test_every_option_in_an_error_exists),
        ("Point [journal] in caimi.toml elsewhere.", test_every_setting_in_an_error_exists),
        ("Set journal in caimi.toml.", test_every_setting_in_an_error_exists),
        ("Set CAIMI_NOTHING.", test_every_variable_in_an_error_is_read),
    ],
)
def test_advice_that_fails_is_noticed(
    text: str, test: Callable[..., None], monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    monkeypatch.setattr(f"{__name__}.TEXTS", [ErrorText("here", "Error", "next", text)])
    with pytest.raises(AssertionError):
        test(repository) if "repository" in test.__annotations__ else test()
