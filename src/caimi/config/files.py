"""Finding a TOML file of settings, and reading it as a section."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from caimi.config.section import CONFIG_NAME, TopSection, what_is_wrong
from caimi.errors.base import said_of
from caimi.errors.operations import ConfigInvalid, ConfigMissing, ConfigUnreadable
from caimi.json_text import check_depth

MAX_CONFIG_BYTES = 1 << 20
SectionT = TypeVar("SectionT", bound=TopSection)


def find_config(path: str | Path | None = None) -> Path:
    """Find the configuration file: the argument, ``$CAIMI_CONFIG``, or `caimi.toml` here or above.

    Raises:
        ConfigMissing: there is none.
    """
    named = path or os.environ.get("CAIMI_CONFIG")
    if named:
        file = Path(named)
        if _file_type(file) == stat.S_IFDIR:
            file /= CONFIG_NAME
        if not _file_type(file):
            raise ConfigMissing(f"There is no configuration file {file}.")
        return file
    try:
        here = Path.cwd()
    except OSError as error:
        raise ConfigMissing(
            "The working directory is gone.",
            why=f"It was removed or cannot be reached ({error.strerror}), so nothing is in it.",
            next_step="Change to a directory that exists, or name a file with --config.",
        ) from error
    for folder in (here, *here.parents):
        if _file_type(folder / CONFIG_NAME) not in (0, stat.S_IFDIR):
            return folder / CONFIG_NAME
    raise ConfigMissing(f"There is no {CONFIG_NAME} in {here} or above.")


def read_toml(file: Path, kind: type[SectionT]) -> SectionT:
    """Read a TOML file as a `kind` of top-level section, with `home` set to its directory.

    Raises:
        ConfigMissing: there is no such file.
        ConfigUnreadable: it is not a plain file, or cannot be read.
        ConfigInvalid: it is too large, not TOML, or says something it may not.
    """
    return checked(file, read_document(file), kind)


def read_document(file: Path) -> dict[str, object]:
    """Read a TOML file, without a word on what it says.

    Raises:
        ConfigMissing: there is no such file.
        ConfigUnreadable: it is not a plain file, or cannot be read.
        ConfigInvalid: it is too large, or not TOML.
    """
    file_type = _file_type(file)
    if not file_type:
        raise ConfigMissing(f"There is no configuration file {file}.")
    if file_type != stat.S_IFREG:  # a pipe would be waited for, a device read without an end
        raise ConfigUnreadable(f"{file} is not a plain file.")
    try:
        with file.open("rb") as handle:
            data = handle.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigUnreadable(f"{file} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigInvalid(f"{file} is larger than {MAX_CONFIG_BYTES} bytes.")
    try:
        text = data.decode()
        check_depth(text)
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigInvalid(f"{file} is not TOML: {error}.") from error


def checked(file: Path, document: Mapping[str, object], kind: type[SectionT]) -> SectionT:
    """Check what a file says, as a `kind` of top-level section.

    Raises:
        ConfigInvalid: it says something it may not.
    """
    for own in ("home", "file", "places"):
        if own in document:
            raise ConfigInvalid(f"{file}: {own}: unknown field.")
    home = file.parent.resolve()
    try:
        return kind.model_validate({**document, "home": home, "file": home / file.name})
    except ValidationError as error:
        raise ConfigInvalid(f"{file}: {what_is_wrong(error)}.") from error


def _file_type(file: Path) -> int:
    """Give a file's type as `stat` tells it, 0 where there is nothing.

    Raises:
        ConfigUnreadable: nobody can tell.
    """
    try:
        return stat.S_IFMT(file.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ConfigUnreadable(f"{str(file)[:200]} cannot be read: {said_of(error)}.") from error
