"""Passphrases and tokens that a process is given: in its environment, or in a file of its own.

A file is named by ``$CAIMI_PASSPHRASE_FILE``, or is what a service manager lays out for this
process alone: systemd's ``LoadCredential=caimi-passphrase:…`` under ``$CREDENTIALS_DIRECTORY``.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from caimi.errors.base import said_of
from caimi.errors.operations import KeyLocked

PASSPHRASE_VARIABLE: Final = "CAIMI_PASSPHRASE"  # noqa: S105 - the name of a variable
FILE_VARIABLE: Final = "CAIMI_PASSPHRASE_FILE"
CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
CREDENTIAL: Final = "caimi-passphrase"
MAX_SECRET_BYTES: Final = 4096


def given_passphrase() -> bytes | None:
    """Give the passphrase that the environment holds or names a file of; None without either.

    Raises:
        KeyLocked: the file is missing, empty or too long, or others can read it.
    """
    if given := os.environ.get(PASSPHRASE_VARIABLE):
        return given.encode("utf-8", "surrogateescape")
    if named := os.environ.get(FILE_VARIABLE):
        return read_secret_file(Path(named))
    if folder := os.environ.get(CREDENTIALS_VARIABLE):
        file = Path(folder) / CREDENTIAL
        if file.exists():
            return _read_secret(file, of_the_service_manager=True)
    return None


def read_secret_file(path: Path) -> bytes:
    """Read a file's secret, refusing a file of others'; the newline at its end is no part of it.

    Raises:
        KeyLocked: it is missing, empty or too long, or its owner or mode lets others in.
    """
    return _read_secret(path, of_the_service_manager=False)


def without_newline(line: bytes) -> bytes:
    """Give a line without what ends it."""
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _read_secret(path: Path, *, of_the_service_manager: bool) -> bytes:
    try:
        # A pipe would be waited for: it is opened without waiting, and then refused.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise KeyLocked(f"The passphrase file {path} is not a plain file.")
            text = os.read(handle, MAX_SECRET_BYTES + 1)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        raise KeyLocked(f"The passphrase file {path} cannot be read: {said_of(error)}.") from error
    _check_whose(path, found, of_the_service_manager=of_the_service_manager)
    if len(text) > MAX_SECRET_BYTES:
        raise KeyLocked(f"The passphrase file {path} has more than {MAX_SECRET_BYTES} bytes.")
    secret = without_newline(text)
    if not secret:
        raise KeyLocked(f"The passphrase file {path} is empty.")
    return secret


def _check_whose(path: Path, found: os.stat_result, *, of_the_service_manager: bool) -> None:
    """Refuse a file that others can read or write, or that somebody else owns.

    systemd grants a service's user its credentials by an ACL, whose mask a mode shows as the
    group's: of a file of root's own user and group there, that is this service alone.
    """
    mode = stat.S_IMODE(found.st_mode)
    roots_own = of_the_service_manager and found.st_uid == found.st_gid == 0
    if mode & (0o037 if roots_own else 0o077):
        raise KeyLocked(
            f"The passphrase file {path} has mode {mode:03o}.",
            why="Others on this machine can read it.",
            next_step=f"Run `chmod 600 {path}`.",
        )
    if found.st_uid not in (0, os.geteuid()):
        raise KeyLocked(
            f"The passphrase file {path} belongs to user {found.st_uid}, who is somebody else.",
            why="Its owner can read it, and change it.",
            next_step="Make a copy of it that this user owns.",
        )
