"""The files of a package, found without following a link or leaving the directory."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from caimi.errors.models import EmptyPackage, PackageTooLarge, UnreadablePackage, UnsafeFile
from caimi.errors.storage import SourceChanged
from caimi.models.paths import MAX_DEPTH, check_distinct, check_path
from caimi.models.sealed_form import MAX_FILES

_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LEFT_OUT: Final = frozenset({".git", ".gitattributes", ".github", ".gitignore"})
"""At a package's root, what the official model-signing verifier never looks at."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file of a package: where it goes, how long it is, and its bytes or where they are."""

    path: str
    size: int
    content: Path | bytes

    def open(self) -> BinaryIO:
        """Open the bytes for reading; the caller closes.

        Raises:
            SourceChanged: it is gone, is no plain file any more, or has another size.
        """
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        try:
            descriptor = os.open(self.content, _OPEN)
        except OSError as error:
            raise SourceChanged(f"{self.path!r} cannot be opened any more: {error}.") from error
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != self.size:
            os.close(descriptor)
            raise SourceChanged(f"{self.path!r} is no longer a file of {self.size} bytes.")
        return os.fdopen(descriptor, "rb", buffering=0)


def is_gits_own(path: str) -> bool:
    """Tell whether the official model-signing verifier ignores a path."""
    return path in _LEFT_OUT


def walk(
    path: Path, leaves_out: Callable[[str], bool] = is_gits_own
) -> tuple[list[PackageFile], list[str]]:
    """List a file, or all files under a directory, by their paths; and say what was left out.

    What is left out is not looked at, nor what is below it: Git's own files at the root, or what
    `leaves_out` says of a path.

    Raises:
        UnsafeFile: a symbolic link, pipe, socket or device, at `path` or below.
        UnsafePath: a name that a package may not hold.
        EmptyPackage: no files.
        PackageTooLarge: over 10,000 files or 32 levels.
        UnreadablePackage: what is there cannot be read.
    """
    left_out: list[str] = []
    try:
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            files = _walk_directory(path, leaves_out, left_out)
        else:
            files = [_file(path.name, path, found)]
    except OSError as error:
        raise UnreadablePackage(f"{path}: {error.strerror or error}.") from error
    if not files:
        but = f" but what is left out: {', '.join(sorted(left_out)[:5])}" if left_out else ""
        raise EmptyPackage(f"{path} holds no files{but}.")
    check_distinct(file.path for file in files)
    return sorted(files, key=lambda file: file.path), left_out


def _walk_directory(
    root: Path, leaves_out: Callable[[str], bool], left_out: list[str]
) -> list[PackageFile]:
    files: list[PackageFile] = []
    pending = [("", root)]
    while pending:
        prefix, directory = pending.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                path = prefix + entry.name
                if leaves_out(path):
                    left_out.append(path)
                    continue
                check_path(path)
                if entry.is_dir(follow_symlinks=False):
                    if path.count("/") + 2 > MAX_DEPTH:
                        raise PackageTooLarge(f"{path[:80]!r} is over {MAX_DEPTH} levels deep.")
                    pending.append((path + "/", Path(entry.path)))
                else:
                    files.append(_file(path, Path(entry.path), entry.stat(follow_symlinks=False)))
                if len(files) > MAX_FILES:
                    raise PackageTooLarge(f"{root} holds over {MAX_FILES} files.")
    return files


def _file(path: str, content: Path, found: os.stat_result) -> PackageFile:
    if not stat.S_ISREG(found.st_mode):
        kind = "symbolic link" if stat.S_ISLNK(found.st_mode) else "special file"
        raise UnsafeFile(f"{path[:80]!r} is a {kind}.")
    return PackageFile(check_path(path), found.st_size, content)
