"""The generator's templates, each parsed when it is first used, once in a process.

The generator parses all 170 of them for every model: most of a second, for the two or three that a
model needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import BytecodeCache, Environment, Template
from jinja2.bccache import Bucket


class _Parsed(BytecodeCache):
    """What templates were compiled to, by their name and content."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


_PARSED = _Parsed()


class LateTemplates:
    """In place of an environment while templates are listed: `get_template` gives the name."""

    @staticmethod
    def get_template(name: str) -> str:
        """Give the name, for `Templates` to look up."""
        return name


class Templates(Mapping[str, Template]):
    """Templates by the generator's keys for them, in an environment of its own."""

    def __init__(self, names: Mapping[str, str], environment: Environment) -> None:
        environment.bytecode_cache = _PARSED
        self._names, self._environment = names, environment

    def __getitem__(self, key: str) -> Template:
        return self._environment.get_template(self._names[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
