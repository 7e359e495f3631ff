"""Names that people choose and that become parts of file names: one form for all of them."""

from __future__ import annotations

import re
from typing import Final

from caimi.errors.ids import InvalidName
from caimi.uri import is_alias, is_version

NAME: Final = r"[a-z0-9][a-z0-9_-]{0,63}"
"""A key's or a ledger's name: it holds no dot, slash or blank."""

_NAME: Final = re.compile(NAME)
_MODEL: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def is_name(text: str) -> bool:
    """Whether `text` has the form of a name."""
    return _NAME.fullmatch(text) is not None


def check_name(text: str, of: str) -> str:
    """Give a name back; `of` says in words what it would name.

    Raises:
        InvalidName: it could mean a place elsewhere, or nothing.
    """
    if not is_name(text):
        raise InvalidName(f"{text[:80]!r} is no name for {of}.")
    return text


def is_model_name(text: str) -> bool:
    """Whether a registry takes `text` as a model's name."""
    return _MODEL.fullmatch(text) is not None


def check_model_name(text: str) -> str:
    """Give a model's name back.

    Raises:
        InvalidName: no registry takes it.
    """
    if not is_model_name(text):
        raise InvalidName(
            f"{text[:80]!r} is no name for a model.",
            why="A name begins with a-z or 0-9 and has at most 64 of a-z, 0-9, ., _ and -.",
        )
    return text


def check_version(text: str) -> str:
    """Give a version back.

    Raises:
        InvalidName: it has not the form of one.
    """
    if not is_version(text):
        raise InvalidName(
            f"{text[:80]!r} is no version.",
            why="A version begins with a digit and has at most 64 of 0-9, A-Z, a-z, ., + and -.",
            next_step="Write a version such as 1.0.0.",
        )
    return text


def check_alias(text: str) -> str:
    """Give an alias back.

    Raises:
        InvalidName: it has not the form of one.
    """
    if not is_alias(text):
        raise InvalidName(
            f"{text[:80]!r} is no alias.",
            why="An alias begins with a letter and has at most 64 of a-z, 0-9 and -.",
            next_step="Write an alias such as production.",
        )
    return text
