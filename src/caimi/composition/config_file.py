"""Adding to a ledger's table in caimi.toml, with everything else left as its owner wrote it."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import tomli_w

from caimi.errors.base import said_of
from caimi.errors.deploying import ConfigNotWritten
from caimi.whole_files import write_whole

_HEADER: Final = re.compile(r"\s*\[{1,2}[\w.\"' -]+\]{1,2}\s*(#.*)?")
_LEDGERS: Final = "ledgers"


def add_to_ledger(
    file: Path, ledger: str, added: Mapping[str, object], within: Sequence[str] = ()
) -> None:
    """Write `added` keys and tables into the table of a ledger (CAIP-2), which has none of them.

    `within` names the table that the ledgers are in, a profile's. The file is replaced whole or
    not at all, and keeps its mode.

    Raises:
        ConfigNotWritten: the table is not found, or the file cannot be written; it is as it was.
    """
    place = Path(os.path.realpath(file))
    try:
        text = place.read_bytes().decode()
        replace_file(place, with_added(text, ledger, added, within).encode())
    except (OSError, ValueError) as error:
        lines = "".join(_written(added, within))
        raise ConfigNotWritten(
            f"{file} could not be changed ({said_of(error)}). "
            f"Add to the table of {ledger}:\n{lines}"
        ) from error


def with_added(
    text: str, ledger: str, added: Mapping[str, object], within: Sequence[str] = ()
) -> str:
    """Give the text of a configuration with `added` in a ledger's table, as `add_to_ledger` does.

    Raises:
        ValueError: that cannot be done without changing what the text says besides.
    """
    before = tomllib.loads(text)
    tables = in_table(before, within).get(_LEDGERS)
    places = [
        number
        for number, table in enumerate(tables if isinstance(tables, list) else [])
        if isinstance(table, dict) and table.get("id") == ledger
    ]
    if len(places) != 1:
        raise ValueError(f"it has {len(places)} tables of {ledger}")
    wanted: dict[str, Any] = deepcopy(before)
    table = in_table(wanted, within)[_LEDGERS][places[0]]
    if table.keys() & added.keys():
        raise ValueError("something of it is there already")
    table.update(deepcopy(dict(added)))
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += ending
    at = _end_of_table(lines, places[0], within)
    new = [line.replace("\n", ending) for line in _written(added, within)]
    found = "".join([*lines[:at], *new, *lines[at:]])
    if not says(found, wanted):
        raise ValueError("its ledgers are not written as [[ledgers]] tables")
    return found


def says(text: str, wanted: Mapping[str, Any]) -> bool:
    """Tell whether a text is TOML that says exactly this."""
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def in_table(document: dict[str, Any], within: Sequence[str]) -> dict[str, Any]:
    """Give the table that `within` names, from the outermost on; an empty one where it is not.

    Raises:
        ValueError: a name is of something else than a table.
    """
    for name in within:
        document = document.get(name, {})
        if not isinstance(document, dict):
            raise ValueError(f"{name} is no table")
    return document


def _end_of_table(lines: list[str], number: int, within: Sequence[str]) -> int:
    """Find the line after the last key of the table's own: its sub-tables come behind."""
    path = r"\s*\.\s*".join(map(re.escape, (*within, _LEDGERS)))
    header = re.compile(rf"\s*\[\[\s*{path}\s*\]\]\s*(#.*)?")
    headers = [at for at, line in enumerate(lines) if header.fullmatch(line.rstrip("\r\n"))]
    if number >= len(headers):
        raise ValueError("its ledgers are not written as [[ledgers]] tables")
    end = headers[number] + 1
    for at in range(end, len(lines)):
        line = lines[at].strip()
        if _HEADER.fullmatch(line):
            break
        if line and not line.startswith("#"):
            end = at + 1
    return end


def _written(added: Mapping[str, object], within: Sequence[str]) -> list[str]:
    """Write keys, and after them tables, as lines."""
    keys = {name: value for name, value in added.items() if not isinstance(value, Mapping)}
    lines = tomli_w.dumps(keys).splitlines(keepends=True)
    for name, value in added.items():
        if isinstance(value, Mapping):
            header = ".".join((*within, _LEDGERS, name))
            lines += [f"\n[{header}]\n", *tomli_w.dumps(value).splitlines(keepends=True)]
    return lines


def replace_file(place: Path, data: bytes) -> None:
    """Write a file whole or not at all, in the mode that it had."""
    write_whole(place, data, stat.S_IMODE(place.stat().st_mode))  # it may hold a password
