"""The page of settings: what `caimi.toml` and a node's `node.toml` may say, and what it means."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from caimi.config import EXAMPLE, Config
from caimi.ledgers.evm.settings import EvmSettings
from caimi.node.settings import NodeSettings

HEAD = """\
# Configuration

`caimi.toml` is read by every command: the file of `--config`, of `$CAIMI_CONFIG`, or the first one
in this folder and those above it. It is read strictly: an unknown field, a wrong type or a value
out of bounds is refused by name. Paths are relative to the file. No secret is in it.
`make reference` writes this page from the program's own types.

`caimi init` writes this file, in which what is optional is commented out:
"""


def settings_page() -> str:
    """Give the whole page."""
    parts = [HEAD, f"```toml\n{EXAMPLE}```\n"]
    parts += ["## caimi.toml\n", *_tables("", Config)]
    parts += ["## A ledger of the family `evm`\n"]
    parts += ["What `[[ledgers]]` says besides `id`, `name` and `family`.\n", *_rows(EvmSettings)]
    parts += ["## node.toml\n", f"{_said(NodeSettings)}\n", *_tables("", NodeSettings)]
    return "\n".join(parts).rstrip() + "\n"


def _tables(path: str, section: type[BaseModel]) -> Iterator[str]:
    """Give a section's fields, and then its own sections, each under its name in TOML."""
    yield from _rows(section)
    for name, field in section.model_fields.items():
        inner = _section_of(field.annotation)
        if inner is None or field.exclude:
            continue
        many = _many(field.annotation)
        below = f"{path}.{name}" if path else name
        yield f"### `{'[[' if many else '['}{below}{']]' if many else ']'}`\n"
        yield f"{_said(inner)}\n"
        yield from _tables(below, inner)


def _rows(section: type[BaseModel]) -> Iterator[str]:
    fields = [
        (name, field)
        for name, field in section.model_fields.items()
        if not field.exclude and _section_of(field.annotation) is None
    ]
    if not fields:
        return
    yield "| setting | what it may be | unless set |"
    yield "|---|---|---|"
    for name, field in fields:
        allowed = _allowed(field.annotation, field.metadata).replace("|", "\\|")
        yield f"| `{name}` | {allowed} | {_default(field)} |"
    yield ""


def _said(section: type[BaseModel]) -> str:
    return re.sub(r"\n(?!\n)\s*", " ", (section.__doc__ or "").strip()).replace("\n ", "\n\n")


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "none"
    match field.default:
        case value if value is PydanticUndefined:
            return "must be set"
        case None | [] | {}:
            return "none"
        case bool(value):
            return f"`{str(value).lower()}`"
        case str(value):
            return f'`"{value}"`'
        case value:
            return f"`{value}`"


def _section_of(kind: Any) -> type[BaseModel] | None:  # noqa: ANN401 - an annotation
    """Give the section that a field is, or is a list of."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    if get_origin(kind) is Literal:
        return None
    return next((found for each in get_args(kind) if (found := _section_of(each))), None)


def _many(kind: Any) -> bool:  # noqa: ANN401 - an annotation
    return get_origin(kind) is list or any(_many(each) for each in get_args(kind))


def _allowed(kind: Any, metadata: list[Any]) -> str:  # noqa: ANN401 - an annotation
    """Say in words what a field takes."""
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *more = get_args(kind)
        return _allowed(inner, [*more, *metadata])
    if origin in (Union, types.UnionType):
        kinds = [each for each in get_args(kind) if each is not type(None)]
        return " or ".join(_allowed(each, metadata) for each in kinds)
    if origin is Literal:
        return " or ".join(f'`"{each}"`' for each in get_args(kind))
    if origin is list:
        return f"a list, each {_allowed(get_args(kind)[0], [])}"
    if origin is dict:
        key, value = get_args(kind)
        return f"a table: {_allowed(key, [])} to {_allowed(value, [])}"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(kind, getattr(kind, "__name__", str(kind))) + _bounds(metadata)


def _bounds(metadata: list[Any]) -> str:
    said = []
    for each in _flat(metadata):
        match each:
            case annotated_types.Ge(ge=value):
                said.append(f"at least {value}")
            case annotated_types.Gt(gt=value):
                said.append(f"more than {value}")
            case annotated_types.Le(le=value):
                said.append(f"at most {value}")
            case StringConstraints(pattern=str(pattern)):
                said.append(f"like `{pattern}`")
    return f", {', '.join(said)}" if said else ""


def _flat(metadata: list[Any]) -> Iterator[Any]:
    for each in metadata:
        yield from each.metadata if isinstance(each, FieldInfo) else (each,)
