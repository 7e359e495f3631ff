"""As much of YAML as the templates use: mappings and lists, plain and JSON values, anchors.

Strict: whatever else stands in a file is an error, so that no reader takes it otherwise.
"""

from __future__ import annotations

import json
import re
from typing import Any

_KEY = re.compile(r"(?P<key>[A-Za-z0-9_./<-]+):(?: (?P<value>.*))?$")
_ANCHOR = re.compile(r"&(\w+)$")


def documents(text: str) -> list[Any]:
    """Parse every document of a file."""
    return [_Parser(part).whole() for part in re.split(r"^---$", text, flags=re.MULTILINE)]


class _Parser:
    def __init__(self, text: str) -> None:
        assert "\t" not in text
        lines = [line.rstrip() for line in text.splitlines()]
        self.lines = [x for x in lines if x.strip() and not x.lstrip().startswith("#")]
        self.at = 0
        self.anchors: dict[str, Any] = {}

    def whole(self) -> Any:
        found = self.block(0)
        assert self.at == len(self.lines), self.lines[self.at]
        return found

    def depth(self) -> int:
        if self.at >= len(self.lines):
            return -1
        line = self.lines[self.at]
        return len(line) - len(line.lstrip())

    def block(self, depth: int) -> Any:
        assert self.depth() == depth, self.lines[self.at]
        if self.lines[self.at].lstrip().startswith("- "):
            return self.listed(depth)
        return self.mapping(depth)

    def listed(self, depth: int) -> list[Any]:
        found = []
        while self.depth() == depth and self.lines[self.at].lstrip().startswith("- "):
            inner = depth + 2
            self.lines[self.at] = " " * inner + self.lines[self.at].lstrip()[2:]
            text = self.lines[self.at].strip()
            if _KEY.match(text) and not text.startswith('"'):
                found.append(self.mapping(inner))
            else:
                self.at += 1
                found.append(scalar(text))
        return found

    def mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.depth() == depth and not self.lines[self.at].lstrip().startswith("- "):
            match = _KEY.match(self.lines[self.at].strip())
            assert match, self.lines[self.at]
            key, value = match["key"], match["value"]
            assert key not in found, f"{key} twice"
            self.at += 1
            anchor = _ANCHOR.match(value or "")
            if key == "<<":
                assert value.startswith("*")
                found = {**self.anchors[value[1:]], **found}
            elif value is None or anchor:
                assert self.depth() > depth or self.is_list_at(depth), key
                found[key] = self.block(self.depth())
                if anchor:
                    self.anchors[anchor[1]] = found[key]
            else:
                found[key] = scalar(value)
        return found

    def is_list_at(self, depth: int) -> bool:
        return self.depth() == depth and self.lines[self.at].lstrip().startswith("- ")


def scalar(text: str) -> Any:
    """Give a value: JSON where it begins so, else a word that every reader takes for text."""
    if text[0] in '["{' or re.fullmatch(r"-?\d+", text) or text in ("true", "false"):
        return json.loads(text)
    assert re.fullmatch(r"[A-Za-z./0-9][A-Za-z0-9./:_-]*", text), text
    assert text.lower() not in ("yes", "no", "on", "off", "null"), text
    return text
