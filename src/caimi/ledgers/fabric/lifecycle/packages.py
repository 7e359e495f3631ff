"""The package that each organisation installs: where its peer finds the chaincode's process.

The chaincode itself is a service (type `ccaas`), so that there is no code in it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.errors.fabric import FabricPackageInvalid

_LABEL: Final = re.compile(r"[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*")
_MAX_LABEL: Final = 64
_ADDRESS: Final = re.compile(r"[a-zA-Z0-9.\[\]:-]{1,255}:[0-9]{1,5}")
_DIAL_TIMEOUT: Final = "10s"
_MAX_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ChaincodeService:
    """Where a chaincode process listens, and how a peer knows it; PEM.

    With a certificate and key the peer shows itself to the process. They are then in the package,
    which only the peer's operator should hold.
    """

    address: str
    tls_root: bytes
    client_certificate: bytes | None = None
    client_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class ChaincodePackage:
    """A package file, and the id that it has on every peer that installs it."""

    label: str
    content: bytes

    @property
    def id(self) -> str:
        """The label and the hash of the file."""
        return f"{self.label}:{hash_of_package(self.content)}"


def hash_of_package(content: bytes) -> str:
    """Give what is behind the label in a package's id: the file's SHA-256."""
    return hashlib.sha256(content).hexdigest()


def package_service(label: str, service: ChaincodeService) -> ChaincodePackage:
    """Package where a chaincode runs; the same service gives the same bytes.

    Raises:
        FabricPackageInvalid: that is no label or no address.
    """
    if len(label) > _MAX_LABEL or not _LABEL.fullmatch(label):
        raise FabricPackageInvalid(f"{label[:_MAX_LABEL]!r} is no label of a chaincode package.")
    if not _ADDRESS.fullmatch(service.address):
        raise FabricPackageInvalid(f"{service.address[:_MAX_LABEL]!r} is no address with a port.")
    connection: dict[str, object] = {
        "address": service.address,
        "dial_timeout": _DIAL_TIMEOUT,
        "tls_required": True,
        "root_cert": service.tls_root.decode("ascii"),
    }
    if service.client_certificate is not None and service.client_key is not None:
        connection["client_auth_required"] = True
        connection["client_cert"] = service.client_certificate.decode("ascii")
        connection["client_key"] = service.client_key.decode("ascii")
    code = _archive({"connection.json": _json(connection)})
    metadata = _json({"type": "ccaas", "label": label})
    return ChaincodePackage(label, _archive({"metadata.json": metadata, "code.tar.gz": code}))


def package_file(path: Path) -> bytes:
    """Give the content of a package file.

    Raises:
        FabricPackageInvalid: it cannot be read, or is too long.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise FabricPackageInvalid(
            f"{path} cannot be read: {error.strerror}.",
            next_step="Make it with `caimi fabric package`.",
        ) from error
    if len(content) > _MAX_BYTES:
        raise FabricPackageInvalid(f"{path} is longer than {_MAX_BYTES} bytes.")
    return content


def _archive(files: Mapping[str, bytes]) -> bytes:
    """Pack files so that the same files give the same bytes."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o600
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, sort_keys=True).encode("ascii")
