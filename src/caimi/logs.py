"""Logs, for people or as JSON lines: each line has what it is about as fields of its own.

What is being done says so once, and every line on the way carries it, whoever writes it::

    with about(client="caimi-1-0", sequences=(7,)):
        await carry()

The fields are names and numbers that anyone may know; a secret is never one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from caimi.line_text import one_line

LogFormat: TypeAlias = Literal["text", "json"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
Fields: TypeAlias = Mapping[str, object]
_CHATTY: Final = ("httpx", "httpcore", "asyncio", "alembic")
_FORGING: Final = frozenset(' "=[]')
"""What could make one value look like more fields."""
_NOTHING: Final[Fields] = MappingProxyType({})
_about: ContextVar[Fields] = ContextVar("caimi_about", default=_NOTHING)


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Say what is being done here, besides what was said around it."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def fields() -> Fields:
    """Give what is being done, as `about` was told."""
    return _about.get()


class _Logger(logging.LoggerAdapter[logging.Logger]):
    """Gives each record what it is about, as its attribute `about`."""

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        return msg, {**kwargs, "extra": {**(kwargs.get("extra") or {}), "about": fields()}}


def logger(name: str) -> logging.LoggerAdapter[logging.Logger]:
    """Give the logger of a module."""
    return _Logger(logging.getLogger(name))


class TextFormatter(logging.Formatter):
    """A line for people, with the fields in brackets at its end, in quotes where they need be."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        said = " ".join(f"{name}={_word(value)}" for name, value in _of(record).items())
        return super().formatMessage(record) + (f" [{said}]" if said else "")


class JsonFormatter(logging.Formatter):
    """A JSON object a line: time (UTC), level, logger, message, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps({**_of(record), **line}, default=str, ensure_ascii=False)


def set_up(form: LogFormat, level: LogLevel = "info") -> None:
    """Have this process log to standard error, in this format, from this level on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler])
    set_level(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def set_level(level: LogLevel) -> None:
    """Have this process log from this level on."""
    logging.getLogger().setLevel(level.upper())


def _of(record: logging.LogRecord) -> Fields:
    said = getattr(record, "about", _NOTHING)
    return said if isinstance(said, Mapping) else _NOTHING


def _word(value: object) -> str:
    """Write a value, which a peer may have chosen: it breaks no line and shows no other field."""
    several = value if isinstance(value, tuple | list) else (value,)
    said = ",".join(one_line(str(each)) for each in several)
    return json.dumps(said, ensure_ascii=False) if _FORGING & set(said) else said
