"""A public class name means one thing in all of the package, so that a reader can search for it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import caimi

ROOT = Path(caimi.__file__).parent

SHARED: dict[str, str] = {}
"""Names that several classes may have, each with the reason. There is none so far."""


def public_classes(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, f"{file.relative_to(folder)}:{node.lineno}"


def namesakes(folder: Path) -> Mapping[str, list[str]]:
    places = defaultdict(list)
    for name, place in public_classes(folder):
        places[name].append(place)
    return {name: where for name, where in places.items() if len(where) > 1}


def test_no_two_public_classes_have_one_name():
    assert {name: at for name, at in namesakes(ROOT).items() if name not in SHARED} == {}


def test_every_shared_name_is_shared():
    assert set(SHARED) <= set(namesakes(ROOT))


def test_namesakes_are_found(tmp_path: Path):
    (tmp_path / "one.py").write_text("class Kind: ...\nclass _Own: ...\nclass Other: ...\n")
    (tmp_path / "two.py").write_text("class Kind: ...\nclass _Own: ...\n")
    assert namesakes(tmp_path) == {"Kind": ["one.py:1", "two.py:1"]}
