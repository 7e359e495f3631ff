"""The mutants of a Solidity file, found in the syntax tree that solc gives of it.

The compiler only parses (`stopAfter`), so that nothing is imported and nothing is compiled.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from mutants.mutant import Kind, Mutant, Switch, numbered

Node = dict[str, Any]

_CHECKING = re.compile(r"_?(require|check|only|limit|verify|refuse|use)([A-Z]|$)")
_AROUND = frozenset({"nonReentrant"})
"""Modifiers that do something after their function too."""
_BOUNDS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_SWAPS = _BOUNDS | {"==": "!=", "!=": "==", "&&": "||", "||": "&&"}
_ARITHMETIC = {"+": "-", "-": "+", "*": "+", "/": "*", "%": "+", "<<": ">>", ">>": "<<"}


def parse(solc: Path, source: str) -> Node:
    """Give the syntax tree of one file; raises as `parse_all`."""
    return parse_all(solc, {"it": source})["it"]


def parse_all(solc: Path, sources: Mapping[str, str]) -> dict[str, Node]:
    """Give the syntax trees of files by their names; starting solc takes the most of it.

    Raises:
        ValueError: one is not Solidity.
    """
    question = {
        "language": "Solidity",
        "sources": {name: {"content": source} for name, source in sources.items()},
        "settings": {"stopAfter": "parsing", "outputSelection": {"*": {"": ["ast"]}}},
    }
    ran = subprocess.run(
        [str(solc), "--standard-json"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(ran.stdout)
    if errors := [each for each in answer.get("errors", ()) if each["severity"] == "error"]:
        raise ValueError(errors[0]["formattedMessage"])
    return {name: answer["sources"][name]["ast"] for name in sources}


def find(path: str, source: bytes, solc: Path, *, relaxed: bool = False) -> list[Mutant]:
    """Give every mutant of a file, guards and others, in the order of their places.

    `relaxed` takes functions that are pure for some that may look at the block.

    Raises:
        ValueError: it is not Solidity.
    """
    return find_all({path: source}, solc, relaxed=relaxed)[path]


def find_all(
    sources: Mapping[str, bytes], solc: Path, *, relaxed: bool = False
) -> dict[str, list[Mutant]]:
    """Give the mutants of each file, as `find` does."""
    trees = parse_all(solc, {path: source.decode() for path, source in sources.items()})
    return {
        path: numbered(_Finder(path, source, relaxed=relaxed).walk(trees[path]))
        for path, source in sources.items()
    }


class _Finder:
    def __init__(self, path: str, source: bytes, *, relaxed: bool) -> None:
        self._path = path
        self._source = source
        self._relaxed = relaxed
        self._sees_the_block = False
        self._pointers: set[str] = set()

    def walk(self, node: object) -> Iterator[Mutant]:
        if isinstance(node, list):
            for each in node:
                yield from self.walk(each)
        elif isinstance(node, dict):
            outside = self._sees_the_block
            if node.get("nodeType") == "ModifierDefinition":
                self._sees_the_block = True
            if node.get("nodeType") == "FunctionDefinition":
                # Only what may look at the block can ask for the switch.
                self._sees_the_block = self._relaxed or node["stateMutability"] != "pure"
                self._pointers = {
                    each["name"]
                    for each in node["returnParameters"]["parameters"]
                    if each["storageLocation"] == "storage"
                }
            if "nodeType" in node:
                yield from self._of(node)
            for name, each in node.items():
                # A loop's step ends in no semicolon, and without it no loop of ours would end.
                stepping = node.get("nodeType") == "ForStatement" and name == "loopExpression"
                yield from self.walk(each["expression"] if stepping and each else each)
            self._sees_the_block = outside

    def _of(self, node: Node) -> Iterator[Mutant]:
        match node["nodeType"]:
            case "FunctionDefinition" if node["kind"] != "constructor":
                for modifier in node["modifiers"]:
                    gone = self._change(modifier, "", "guard", "a modifier is gone")
                    yield replace(gone, switch=self._of_modifier(node, modifier))
            case "ExpressionStatement":
                yield from self._statement(node)
            case "IfStatement":
                yield from self._branch(node)
            case "BinaryOperation":
                operator = node["operator"]
                if operator in _SWAPS:
                    yield self._operator(node, _SWAPS[operator], "other", "another comparison")
                elif operator in _ARITHMETIC:
                    sign = _ARITHMETIC[operator]
                    yield self._operator(node, sign, "other", "another operation")
            case "UnaryOperation" if node["operator"] == "!":
                inner = self._text(node["subExpression"])
                yield self._change(node, f"({inner})", "other", "not is gone")
            case "EmitStatement":
                yield self._change(node, "{}", "other", "an event is not emitted", ends=True)
            case "Return" if node.get("expression") and self._is_verdict(node["expression"]):
                for part in self._parts(node["expression"], "&&"):
                    yield self._change(part, "(true)", "guard", "a condition always holds")
            case _:
                pass

    def _of_modifier(self, function: Node, modifier: Node) -> Switch | None:
        """Give the switch of a modifier that only checks before its function, of its parameters."""
        changes = function["stateMutability"] not in ("pure", "view")
        if modifier["modifierName"]["name"] in _AROUND or not changes:
            return None
        declared = {each["name"]: each for each in function["parameters"]["parameters"]}
        given = [each.get("name") for each in modifier.get("arguments") or ()]
        if not all(name in declared for name in given):
            return None
        parameters = ", ".join(self._text(declared[name]) for name in given)
        start, end = self._span(modifier)
        return Switch(start, end, "modifier", self._span(function)[1], parameters)

    def _statement(self, node: Node) -> Iterator[Mutant]:
        call = node["expression"]
        if call["nodeType"] == "Assignment" and self._names(call["leftHandSide"]) & self._pointers:
            return  # a result that points into storage must be given, or nothing compiles
        called = call.get("expression", {}) if call["nodeType"] == "FunctionCall" else {}
        name = called.get("name") or called.get("memberName") or ""
        if name == "require":
            yield self._change(node, "{}", "guard", "a requirement is gone", ends=True)
            yield from self._condition(call["arguments"][0], refuses=False, whole=False)
        elif _CHECKING.match(name):
            yield self._change(node, "{}", "guard", "a check is not made", ends=True)
        else:
            yield self._change(node, "{}", "other", "a statement is gone", ends=True)

    @staticmethod
    def _names(target: Node) -> set[str]:
        parts = target["components"] if target["nodeType"] == "TupleExpression" else [target]
        return {part["name"] for part in parts if part and part["nodeType"] == "Identifier"}

    def _branch(self, node: Node) -> Iterator[Mutant]:
        body = node["trueBody"]
        last = body["statements"][-1] if body.get("statements") else body
        if last["nodeType"] == "RevertStatement":
            yield from self._condition(node["condition"], refuses=True)
            return
        for value in ("true", "false"):
            yield self._change(node["condition"], value, "other", "a branch is fixed")

    def _condition(self, test: Node, *, refuses: bool, whole: bool = True) -> Iterator[Mutant]:
        """Take away a condition that refuses when true (or when false), and each part of it."""
        while test["nodeType"] == "TupleExpression" and len(test["components"]) == 1:
            test = test["components"][0]
        if test["nodeType"] == "UnaryOperation" and test["operator"] == "!":
            yield from self._condition(test["subExpression"], refuses=not refuses, whole=whole)
            return
        if whole:
            never = "(false)" if refuses else "(true)"
            yield self._change(test, never, "guard", "a condition never refuses")
        joint = "||" if refuses else "&&"
        if test["nodeType"] == "BinaryOperation" and test["operator"] == joint:
            for side in ("leftExpression", "rightExpression"):
                yield from self._condition(test[side], refuses=refuses)
        elif test["nodeType"] == "BinaryOperation" and test["operator"] in _BOUNDS:
            moved = _BOUNDS[test["operator"]]
            yield self._operator(test, moved, "guard", "a bound is moved by one")

    def _is_verdict(self, value: Node) -> bool:
        return value["nodeType"] == "BinaryOperation" and value["operator"] in {*_SWAPS}

    def _parts(self, value: Node, joint: str) -> Iterator[Node]:
        if value["nodeType"] == "BinaryOperation" and value["operator"] == joint:
            yield from self._parts(value["leftExpression"], joint)
            yield from self._parts(value["rightExpression"], joint)
        else:
            yield value

    # --- places ---

    @staticmethod
    def _span(node: Node) -> tuple[int, int]:
        start, length, _ = (int(part) for part in node["src"].split(":"))
        return start, start + length

    def _text(self, node: Node) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode()

    def _change(
        self, node: Node, text: str, kind: Kind, what: str, *, ends: bool = False
    ) -> Mutant:
        """Replace a node; one that `ends` in a semicolon with that, which is not part of it."""
        start, end = self._span(node)
        present = self._source[start:end].decode()
        if ends:
            end = self._source.index(b";", end) + 1
        line = self._source.count(b"\n", 0, start) + 1
        switch = self._switch(start, end, "statement" if ends else "expression")
        return Mutant(self._path, start, end, text, kind, what, present, line, switch=switch)

    def _operator(self, node: Node, text: str, kind: Kind, what: str) -> Mutant:
        left = self._span(node["leftExpression"])[1]
        right = self._span(node["rightExpression"])[0]
        gap = self._source[left:right]
        at = left + gap.index(node["operator"].encode())
        line = self._source.count(b"\n", 0, at) + 1
        end = at + len(node["operator"])
        switch = self._switch(*self._span(node), "expression")
        present = self._text(node)
        return Mutant(self._path, at, end, text, kind, what, present, line, switch=switch)

    def _switch(
        self, start: int, end: int, form: Literal["expression", "statement"]
    ) -> Switch | None:
        return Switch(start, end, form) if self._sees_the_block else None
