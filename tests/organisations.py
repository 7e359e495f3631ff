"""Organisations with authorities of their own, and services that they certify."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from caimi.tls.authority import AUTHORITY_CERTIFICATE, SERVICE_LASTS, CertificateAuthority, Wanted
from caimi.tls.authority import make_request as ask
from caimi.tls.contexts import ClientTls, ServerTls, TlsFiles

PASSPHRASE = b"correct horse"


class Organisation:
    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder / name
        self.authority = CertificateAuthority.create(self.folder, name, PASSPHRASE)
        self.trust = self.folder / AUTHORITY_CERTIFICATE

    def issue(
        self, name: str, *hosts: str, lasts: timedelta = SERVICE_LASTS, file: str = ""
    ) -> TlsFiles:
        """Certify a service; one without hosts calls others alone."""
        files = TlsFiles(self.folder / f"{file or name}.pem", self.folder / f"{file or name}.key")
        request = ask(files.key, Wanted(name, self.name, hosts))
        put(files.certificate, self.authority.sign(request, lasts))
        return files

    def client(self, *trust: Path, name: str | None = "relayer") -> ClientTls:
        return ClientTls(trust or (self.trust,), self.issue(name) if name else None)

    def server(self, *trust: Path, everybody: bool = False, name: str = "node") -> ServerTls:
        own = self.issue(name, "127.0.0.1", "localhost")
        return ServerTls(own, trust or (self.trust,), everybody=everybody)


def put(file: Path, *certificates: x509.Certificate) -> None:
    file.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
