"""Whether plain files on a disk are those that a manifest and its signature speak of."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from caimi.errors.storage import FileMismatch
from caimi.models.attribution import signed_name
from caimi.models.files import PackageFile, walk
from caimi.models.manifest import Manifest
from caimi.models.signature_bundle import verify_bundle

_BLOCK: Final = 1024 * 1024


def verify_files(manifest: Manifest, bundle: bytes, files: Path) -> None:
    """Check the signature bundle, and every file under `files`. Blocking.

    Raises:
        InvalidPackageSignature: the bundle does not sign the manifest's files with its key.
        FileMismatch, PackageError, SourceChanged: see `check_files`.
    """
    verify_signature(manifest, bundle)
    check_files(manifest, files)


def verify_signature(manifest: Manifest, bundle: bytes) -> None:
    """Check that a bundle signs exactly the manifest's files with the manifest's public key.

    It must sign them as the manifest's model and version, by its publisher. That the publisher is
    who says so is for the ledger to say.

    Raises:
        InvalidPackageSignature: with what is wrong.
    """
    signed = {file.path: file.sha256 for file in manifest.files}
    name = signed_name(manifest.model_id, manifest.version, manifest.publisher)
    verify_bundle(bundle, manifest.signature.public_key, name, signed)


def check_files(manifest: Manifest, files: Path) -> list[PackageFile]:
    """Check that `files` holds exactly the manifest's files, each by its SHA-256; list them.

    Blocking.

    Raises:
        FileMismatch: a file is missing, is too many, or differs.
        PackageError: the directory holds what no package may hold.
        SourceChanged: something writes to the files meanwhile.
    """
    found = check_listing(manifest, files)
    for file, entry in zip(found, manifest.files, strict=True):
        if _sha256(file) != entry.sha256:
            raise FileMismatch(f"{file.path!r} has another SHA-256 than the manifest says.")
    return found


def check_listing(manifest: Manifest, files: Path) -> list[PackageFile]:
    """Check that `files` holds exactly the manifest's paths, each of its size; list them.

    Raises:
        FileMismatch, PackageError: as `check_files` does.
    """
    found, left_out = walk(files)
    here = {file.path: file.size for file in found} | dict.fromkeys(left_out, -1)
    wanted = {entry.path: entry.size for entry in manifest.files}
    if here != wanted:
        path = min(path for path in here.keys() | wanted if here.get(path) != wanted.get(path))
        raise FileMismatch(f"{path!r} is missing, is too many, or has another size.")
    return found


def _sha256(file: PackageFile) -> bytes:
    hasher = hashlib.sha256()
    with file.open() as content:
        while block := content.read(_BLOCK):
            hasher.update(block)
    return hasher.digest()
