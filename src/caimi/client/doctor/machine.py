"""Checking this machine: the configuration's files, keys, journal and disk."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Final

from caimi.client.doctor.finding import Finding, failed
from caimi.client.keyring import Keyring
from caimi.config import Config
from caimi.credentials import read_secret_file
from caimi.errors.base import CaimiError
from caimi.journal import OperationRecord
from caimi.persistence import open_journal

MIB: Final = 1 << 20
LITTLE_ROOM: Final = 1024 * MIB
NO_ROOM: Final = 100 * MIB
_OTHERS: Final = 0o077


def check_keys(config: Config) -> list[Finding]:
    """Check that keys, and the passphrase's file, are their owner's alone."""
    try:
        names = Keyring(config).names()
    except CaimiError as error:
        return [failed("keys", error)]
    folder = config.path(config.keys.directory)
    if not names:
        return [
            Finding("keys", "warning", f"There are none in {folder}.", "Run `caimi keys new NAME`.")
        ]
    open_ = [
        file
        for file in ([folder, *sorted(folder.iterdir())] if folder.exists() else [])
        if _is_open(file) and not file.name.endswith(".bindings.json")
    ]
    found = [
        Finding(
            "keys",
            "wrong",
            f"{file} has mode {stat.S_IMODE(file.stat().st_mode):03o}: others can reach it.",
            f"Run `chmod {'700' if file.is_dir() else '600'} {file}`.",
        )
        for file in open_
    ]
    default = config.keys.default
    if default is not None and default not in names:
        found.append(
            Finding(
                "keys",
                "wrong",
                f"The default key {default!r} is not in {folder}.",
                "Correct default under [keys] in caimi.toml, or run `caimi keys new NAME`.",
            )
        )
    if config.keys.passphrase_file is not None:
        try:
            read_secret_file(config.path(config.keys.passphrase_file))
        except CaimiError as error:
            found.append(failed("passphrase", error))
    return found or [Finding("keys", "ok", f"{len(names)} in {folder}, for their owner alone.")]


def _is_open(file: Path) -> bool:
    try:
        return bool(stat.S_IMODE(file.stat().st_mode) & _OTHERS)
    except OSError:
        return False


def check_config(config: Config, file: Path) -> list[Finding]:
    """Check that nobody else reads a configuration that may hold a password."""
    if config.database is not None and _is_open(file):
        return [
            Finding(
                "configuration",
                "wrong",
                f"{file} names a database, maybe with a password, and others can read it.",
                f"Run `chmod 600 {file}`.",
            )
        ]
    return [Finding("configuration", "ok", f"{file}; ledgers: {len(config.ledgers)}.")]


async def check_journal(config: Config) -> list[Finding]:
    """Check that the journal can be read, and tell what was begun and not finished in it."""
    if config.database is None and not config.journal_path.exists():
        return [Finding("journal", "ok", "Nothing was begun here yet.")]
    journal = open_journal(config)
    try:
        # One of which nothing is noted was only looked at.
        begun = [each for each in await journal.operations() if each.facts and not each.finished]
    finally:
        journal.close()
    if not begun:
        return [Finding("journal", "ok", "All that was begun is finished.")]
    return [Finding("journal", "warning", _said(begun), _NEXT)]


_NEXT: Final = "Run the same commands again: each goes on where it stopped."


def _said(begun: list[OperationRecord]) -> str:
    kinds = [each.kind for each in begun]
    counted = ", ".join(f"{kinds.count(kind)} of {kind}" for kind in sorted(set(kinds)))
    return f"Begun and not finished: {counted}."


def check_disk(config: Config) -> list[Finding]:
    """Check that there is room where state, keys and sealed files go."""
    found = []
    seen = set()
    for name, text in (
        ("state", config.state),
        ("store", config.store.path),
        ("keys", config.keys.directory),
    ):
        place = config.path(text)
        there = next(each for each in (place, *place.absolute().parents) if each.exists())
        device = there.stat().st_dev
        if not os.access(there, os.W_OK):
            found.append(
                Finding(
                    "disk",
                    "wrong",
                    f"{there} ({name}) may not be written to.",
                    f"See `ls -ld {there}`.",
                )
            )
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(there).free
        if free < LITTLE_ROOM:
            found.append(
                Finding(
                    "disk",
                    "wrong" if free < NO_ROOM else "warning",
                    f"{free // MIB} MiB are free at {there}.",
                    "Make room: what is decided is written down before it is done.",
                )
            )
    return found or [Finding("disk", "ok", "There is room.")]
