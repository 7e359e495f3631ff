"""The mutants of a Python file, found in its syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mutants.mutant import Kind, Mutant, numbered

_CHECKING = re.compile(r"_?(check|verify|refuse|require|ensure|validate|bound)(_|$)")
_LOGGING = re.compile(r"_?(log|logger)$")
_BOUNDS = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
_SWAPS = _BOUNDS | {ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in", ast.NotIn: "in"}
_ARITHMETIC = {ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.FloorDiv: "*", ast.Mod: "+"}


def find(path: str, source: bytes) -> list[Mutant]:
    """Give every mutant of a file, guards and others, in the order of their places."""
    return numbered(_Finder(path, source).all())


class _Finder:
    def __init__(self, path: str, source: bytes) -> None:
        self._path = path
        self._source = source
        self._lines = [0]
        for line in source.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def all(self) -> Iterator[Mutant]:
        for node in _running(ast.parse(self._source)):
            yield from self._guards(node)
            yield from self._others(node)

    # --- guards: what raises, what checks, and the conditions and bounds they stand on ---

    def _guards(self, node: ast.AST) -> Iterator[Mutant]:
        if isinstance(node, ast.If) and _ends_in_refusal(node.body):
            yield from self._condition(node.test, refuses=True)
        elif isinstance(node, ast.Expr) and _CHECKING.match(_called(node.value)):
            yield self._change(node, "None", "guard", "a check is not made")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_verdict(node):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    yield from self._verdict(inner.value)

    def _verdict(self, value: ast.expr) -> Iterator[Mutant]:
        """Let each condition of a function that answers yes or no hold always."""
        if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.And):
            for operand in value.values:
                yield from self._verdict(operand)
        elif not isinstance(value, ast.Constant):
            yield self._change(value, "(True)", "guard", "a condition always holds")

    def _condition(self, test: ast.expr, *, refuses: bool) -> Iterator[Mutant]:
        """Take away a condition that refuses when true (or when false), and each part of it."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            yield from self._condition(test.operand, refuses=not refuses)
            return
        never = "False" if refuses else "True"
        yield self._change(test, f"({never})", "guard", "a condition never refuses")
        parts = ast.Or if refuses else ast.And
        if isinstance(test, ast.BoolOp) and isinstance(test.op, parts):
            for operand in test.values:
                yield from self._condition(operand, refuses=refuses)
        elif isinstance(test, ast.Compare):
            yield from self._swaps(test, _BOUNDS, "guard", "a bound is moved by one")

    # --- others ---

    def _others(self, node: ast.AST) -> Iterator[Mutant]:
        match node:
            case ast.Compare():
                yield from self._swaps(node, _SWAPS, "other", "a comparison is another")
            case ast.BoolOp():
                word = "or" if isinstance(node.op, ast.And) else "and"
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield self._between(left, right, f" {word} ", "and or or, the other")
            case ast.UnaryOp(op=ast.Not()):
                yield self._change(node, f"({self._text(node.operand)})", "other", "not is gone")
            case ast.BinOp() if type(node.op) in _ARITHMETIC:
                sign = _ARITHMETIC[type(node.op)]
                yield self._between(node.left, node.right, f" {sign} ", "another operation")
            case ast.Constant() if type(node.value) is int:
                yield self._change(node, str(node.value + 1), "other", "a number is one more")
            case ast.Return() if node.value is not None and not _is_none(node.value):
                yield self._change(node, "return None", "other", "nothing is returned")
            case ast.If() if not _ends_in_refusal(node.body):
                for value in ("True", "False"):
                    yield self._change(node.test, f"({value})", "other", "a branch is fixed")
            case ast.AugAssign() | ast.Delete():
                yield self._change(node, "pass", "other", "a statement is gone")
            case ast.Assign() if not isinstance(node.targets[0], ast.Name):
                yield self._change(node, "pass", "other", "a statement is gone")
            case ast.Expr() if _called(node.value) and not _LOGGING.match(_owner(node.value)):
                yield self._change(node, "None", "other", "a call is not made")
            case _:
                pass

    def _swaps(
        self, node: ast.Compare, table: dict[type[ast.cmpop], str], kind: Kind, what: str
    ) -> Iterator[Mutant]:
        sides = [node.left, *node.comparators]
        for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
            if type(operator) in table:
                yield self._between(left, right, f" {table[type(operator)]} ", what, kind)

    # --- places ---

    def _offset(self, line: int, column: int) -> int:
        return self._lines[line - 1] + column

    def _span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self._offset(node.lineno, node.col_offset)
        return start, self._offset(node.end_lineno, node.end_col_offset)

    def _text(self, node: ast.expr | ast.stmt) -> str:
        start, end = self._span(node)
        return self._source[start:end].decode()

    def _change(self, node: ast.expr | ast.stmt, text: str, kind: Kind, what: str) -> Mutant:
        start, end = self._span(node)
        present = self._source[start:end].decode()
        return Mutant(self._path, start, end, text, kind, what, present, node.lineno)

    def _between(
        self, left: ast.expr, right: ast.expr, text: str, what: str, kind: Kind = "other"
    ) -> Mutant:
        """Replace the operator between two operands; brackets around these stay."""
        start, end = self._span(left)[1], self._span(right)[0]
        gap = self._source[start:end].decode()
        before = gap[: gap.rindex(")") + 1] if ")" in gap else ""
        after = gap[gap.index("(") :] if "(" in gap else ""
        present = self._source[self._span(left)[0] : self._span(right)[1]].decode()
        changed = before + text + after
        return Mutant(self._path, start, end, changed, kind, what, present, left.lineno)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs: no annotations, no docstrings, no default arguments' types."""
    for name, field in ast.iter_fields(tree):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in field if isinstance(field, list) else [field]:
            if isinstance(child, ast.AST):
                yield child
                yield from _running(child)


def _ends_in_refusal(body: list[ast.stmt]) -> bool:
    last = body[-1]
    if isinstance(last, ast.Return):
        return isinstance(last.value, ast.Constant) and last.value.value is False
    return isinstance(last, ast.Raise)


def _is_verdict(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return isinstance(function.returns, ast.Name) and function.returns.id == "bool"


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _called(value: ast.expr) -> str:
    """Name the function that an expression calls or awaits, or give nothing."""
    if isinstance(value, ast.Await):
        value = value.value
    if not isinstance(value, ast.Call):
        return ""
    called = value.func
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "?")


def _owner(value: ast.expr) -> str:
    if isinstance(value, ast.Await):
        value = value.value
    called = value.func if isinstance(value, ast.Call) else None
    owner = called.value if isinstance(called, ast.Attribute) else None
    return owner.id if isinstance(owner, ast.Name) else ""
