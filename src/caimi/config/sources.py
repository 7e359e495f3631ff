"""Where a configuration is said: a whole file, a profile's table of it, or a profile's own file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from caimi.config.configuration import Profiles
from caimi.config.files import find_config, read_document
from caimi.config.section import what_is_wrong
from caimi.errors.operations import ConfigInvalid, ConfigMissing
from caimi.profiles import (
    chosen_profile,
    profile_file,
    profile_files,
    unknown_profile,
    with_own_state,
)


@dataclass(frozen=True)
class ConfigSource:
    """A file, the table of it that is the configuration, and what is `said` there, unchecked.

    `table` is empty where that is the whole file.
    """

    file: Path
    table: tuple[str, ...]
    said: Mapping[str, object]


def config_source(path: str | Path | None = None, profile: str | None = None) -> ConfigSource:
    """Find and read the configuration, or the profile that is named or chosen.

    Raises:
        ConfigMissing, ConfigUnreadable, ConfigInvalid: there is none to read.
        UnknownProfile, InvalidName: there is no such profile.
    """
    name = chosen_profile(profile)
    if name is None:
        file = find_config(path)
        return ConfigSource(file, (), read_document(file))
    found = _find_profile(path, name)
    if "profiles" in found.said:
        raise ConfigInvalid(f"{found.file}: profiles.{name}: a profile has no profiles.")
    return found


def profile_names(path: str | Path | None = None) -> list[str]:
    """Name the profiles there are, in the configuration file and in the user's folder.

    Raises:
        ConfigMissing, ConfigUnreadable, ConfigInvalid: a named file has none to read.
    """
    _, tables = _profiles_in_file(path)
    return sorted({*tables, *(() if _is_named(path) else profile_files())})


def _find_profile(path: str | Path | None, name: str) -> ConfigSource:
    file, tables = _profiles_in_file(path)
    if file is not None and name in tables:
        return ConfigSource(file, ("profiles", name), with_own_state(name, tables[name]))
    file = None if _is_named(path) else profile_file(name)
    if file is None:
        raise unknown_profile(name, profile_names(path))
    return ConfigSource(file, (), with_own_state(name, read_document(file)))


def _profiles_in_file(path: str | Path | None) -> tuple[Path | None, dict[str, dict[str, object]]]:
    try:
        file = find_config(path)
    except ConfigMissing:
        if _is_named(path):
            raise
        return None, {}
    tables = read_document(file).get("profiles", {})
    try:
        return file, TypeAdapter(Profiles).validate_python(tables, strict=True)
    except ValidationError as error:
        raise ConfigInvalid(f"{file}: profiles: {what_is_wrong(error)}.") from error


def _is_named(path: str | Path | None) -> bool:
    return bool(path or os.environ.get("CAIMI_CONFIG"))
