"""What the shell offers for a half-written word: from files of this machine alone, and silently.

A shell asks at each press of a key: no ledger is asked, no key is opened, nothing is checked, and
whatever is wrong with a file means that nothing is offered.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeAlias

import typer

Offer: TypeAlias = str | tuple[str, str]
"""A word, or a word and what it stands for."""

_MOST: Final = 500


def _quietly(
    find: Callable[[Path | None], Iterable[Offer]],
) -> Callable[[typer.Context, str], list[Offer]]:
    def offer(ctx: typer.Context, incomplete: str) -> list[Offer]:
        found: list[Offer] = []
        with contextlib.suppress(Exception):
            for each in find(ctx.params.get("config")):
                word = each if isinstance(each, str) else each[0]
                if word.startswith(incomplete):
                    found.append(each)
                if len(found) >= _MOST:
                    break
        return found

    return offer


@_quietly
def keys(config: Path | None) -> Iterable[Offer]:
    """Offer the names of keys."""
    from caimi.config import config_source
    from caimi.keystore import KEYSTORES
    from caimi.names import is_name

    source = config_source(config)
    section = _table(source.said.get("keys"))
    folder = source.file.parent / Path(str(section.get("directory", "keys"))).expanduser()
    files = (Path(name) for name in sorted(os.listdir(folder)))  # noqa: PTH208
    return (each.stem for each in files if each.suffix == KEYSTORES.ending and is_name(each.stem))


@_quietly
def ledgers(config: Path | None) -> Iterable[Offer]:
    """Offer the ledgers, by name and by id."""
    from caimi.config import config_source

    listed = config_source(config).said.get("ledgers")
    sections = [_table(each) for each in listed] if isinstance(listed, list) else []
    for one, other in (("name", "id"), ("id", "name")):
        for section in sections:
            yield str(section[one]), str(section[other])


@_quietly
def profiles(config: Path | None) -> Iterable[Offer]:
    """Offer the profiles."""
    from caimi.config import profile_names

    return profile_names(config)


@_quietly
def uris(config: Path | None) -> Iterable[Offer]:
    """Offer models, their versions and their aliases, of which an earlier search heard."""
    from caimi.client.known_models import known_models
    from caimi.places import cache_folder

    for model in known_models(cache_folder() / "models"):
        yield model.uri, model.name
        for selector in model.selectors:
            yield f"{model.uri}@{selector}", model.name


@_quietly
def aliases(config: Path | None) -> Iterable[Offer]:
    """Offer all aliases of which an earlier search heard."""
    from caimi.client.known_models import known_models
    from caimi.places import cache_folder

    models = known_models(cache_folder() / "models")
    return sorted({alias for model in models for alias in model.aliases})


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
