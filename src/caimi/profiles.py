"""Profiles: several networks of one person, each a configuration under a name.

A profile is a table ``[profiles.NAME]`` of caimi.toml, which says all that a file says and takes
nothing from what is around it, or a file ``NAME.toml`` in the user's configuration folder. It is
named with --profile, or in the variable ``CAIMI_PROFILE``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from caimi.errors.operations import UnknownProfile
from caimi.names import check_name, is_name

PROFILE_VARIABLE: Final = "CAIMI_PROFILE"
_ENDING: Final = ".toml"
_chosen: ContextVar[str | None] = ContextVar("caimi_profile", default=None)


def choose_profile(name: str | None) -> None:
    """Have configurations read this profile from here on, where none is named; None for no one."""
    _chosen.set(name)


def chosen_profile(named: str | None = None) -> str | None:
    """Give the profile that is named, chosen, or in the environment; None where there is none.

    Raises:
        InvalidName: it is no name for a profile.
    """
    found = named or _chosen.get() or os.environ.get(PROFILE_VARIABLE) or None
    return None if found is None else check_name(found, "a profile")


def profile_folder() -> Path | None:
    """Give the folder of a user's files of profiles; None for a user without a home."""
    try:
        return Path.home() / ".config" / "caimi"
    except RuntimeError:
        return None


def profile_file(name: str) -> Path | None:
    """Give the file of a profile in the user's folder; None where there is none."""
    folder = profile_folder()
    file = None if folder is None else folder / f"{name}{_ENDING}"
    return file if file is not None and file.is_file() else None


def profile_files() -> list[str]:
    """Name the profiles that are files of the user's folder."""
    try:
        folder = profile_folder()
        found = [] if folder is None else [Path(name) for name in os.listdir(folder)]  # noqa: PTH208
    except OSError:
        return []
    return sorted(each.stem for each in found if each.suffix == _ENDING and is_name(each.stem))


def with_own_state(name: str, document: Mapping[str, object]) -> dict[str, object]:
    """Give a profile a state of its own unless it says which: two networks share no journal."""
    return {"state": f"state-{name}", **document}


def unknown_profile(name: str, known: list[str]) -> UnknownProfile:
    """Say that there is no such profile, and which ones there are."""
    there = ", ".join(known) or "none"
    return UnknownProfile(f"There is no profile {name!r}; there are: {there}.")
