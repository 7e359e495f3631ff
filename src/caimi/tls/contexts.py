"""TLS 1.3 for servers and clients: who is believed, how one is known, and files that are renewed.

`trust` are PEM files of authorities, or of single certificates: such a one is believed itself, and
nothing that it might sign. Everything that this process holds is read again by `reload_all`; what
cannot be read again stays as it was.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from weakref import WeakSet

from cryptography import x509

from caimi.errors.base import CaimiError, said_of
from caimi.errors.certificates import CertificateExpired, CertificateInvalid
from caimi.logs import logger
from caimi.tls.certificates import (
    check_time,
    is_trusted,
    read_certificates,
    to_pem,
)

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where a process's certificate (with what its authority adds to it) and its key are."""

    certificate: Path
    key: Path

    def check(self) -> x509.Certificate:
        """Give the certificate, once nothing is wrong with the two files.

        Raises:
            CertificateInvalid: one cannot be read, or the key's mode lets others in.
            CertificateExpired: its time is over.
        """
        (own, *_) = read_certificates(self.certificate)
        check_time(own, str(self.certificate))
        try:
            found = self.key.stat()
        except (OSError, ValueError) as error:
            raise CertificateInvalid(
                f"The TLS key {self.key} cannot be read: {said_of(error)}."
            ) from error
        mode = stat.S_IMODE(found.st_mode)
        roots_own = found.st_uid == found.st_gid == 0 and os.geteuid() != 0
        if mode & (0o037 if roots_own else 0o077):
            raise CertificateInvalid(
                f"The TLS key {self.key} has mode {mode:03o}.",
                why="Others on this machine can read it, and be taken for this service.",
                next_step=f"Run `chmod 600 {self.key}`.",
            )
        return own

    def read(self) -> tuple[bytes, bytes]:
        """Give the certificate (with what its authority adds to it) and the key, in PEM.

        Raises as `check`.
        """
        self.check()
        try:
            return to_pem(read_certificates(self.certificate)).encode(), self.key.read_bytes()
        except OSError as error:
            raise CertificateInvalid(
                f"The TLS key {self.key} cannot be read: {error.strerror}."
            ) from error

    def load_into(self, context: ssl.SSLContext) -> x509.Certificate:
        """Have a context show this certificate, and give it; raises as `check`."""
        own = self.check()
        try:
            context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise CertificateInvalid(
                f"The TLS key {self.key} does not belong to {self.certificate}."
            ) from error
        return own


@dataclass(frozen=True, slots=True)
class HeldCertificate:
    """A certificate that this process shows or believes, and the file that it was read from."""

    file: Path
    certificate: x509.Certificate


class Established(Protocol):
    """A connection that was made under some trust."""

    def look_again(self) -> None:
        """End where its peer is believed no more; called from whatever thread reads files again."""


class ServerTls:
    """A server's TLS: each new connection takes the newest context.

    Those of before are in `connections`, and look at each reload at whom they believe. With
    `trust` a client may show a certificate, which must then be a trusted one; with `everybody` all
    must.

    Construction raises `CertificateInvalid` or `CertificateExpired`.
    """

    def __init__(self, own: TlsFiles, trust: Sequence[Path], *, everybody: bool = False) -> None:
        self.own = own
        self._trust = tuple(trust)
        self._everybody = everybody
        self.held: list[HeldCertificate] = []
        self.connections: WeakSet[Established] = WeakSet()
        self.context = self._make()
        _held.add(self)

    def _make(self) -> ssl.SSLContext:
        context = _of_tls_1_3(ssl.PROTOCOL_TLS_SERVER)
        # A resumed session would outlive the trust in its certificate.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
        trusted = _believe(context, self._trust)
        if trusted:
            context.verify_mode = ssl.CERT_REQUIRED if self._everybody else ssl.CERT_OPTIONAL
        elif self._everybody:
            raise CertificateInvalid(
                "All clients must show certificates, and none is trusted.",
                next_step="Name their authorities' files under trust in [tls].",
            )
        own = HeldCertificate(self.own.certificate, self.own.load_into(context))
        self.held = [own, *trusted]
        _tell(self.warnings())
        return context

    def reload(self) -> None:
        """Read all files again; raises as the construction, and then nothing changes."""
        self.context = self._make()
        for each in list(self.connections):
            each.look_again()

    def believes(self, shown: bytes) -> bool:
        """Tell whether today's trust has this client certificate, in DER, without doubt."""
        return is_trusted(shown, [each.certificate for each in self.held[1:]])

    def warnings(self) -> list[str]:
        """Say what ends soon, or has ended since it was read."""
        return _warnings(self.own, self._trust)


class ClientTls:
    """A client's TLS; `generation` rises when `context` is another one.

    Without `trust` the public authorities are believed. `own` is shown to whoever asks for it.

    Construction raises `CertificateInvalid` or `CertificateExpired`.
    """

    def __init__(self, trust: Sequence[Path] = (), own: TlsFiles | None = None) -> None:
        self._trust = tuple(trust)
        self._own = own
        self.generation = 0
        self.held: list[HeldCertificate] = []
        self.context = self._make()
        _held.add(self)

    def _make(self) -> ssl.SSLContext:
        if self._trust:
            context = _of_tls_1_3(ssl.PROTOCOL_TLS_CLIENT)
            held = _believe(context, self._trust)
        else:
            held = []
            context = _of_the_public()
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        if self._own is not None:
            held.append(HeldCertificate(self._own.certificate, self._own.load_into(context)))
        self.held = held
        _tell(self.warnings())
        return context

    def reload(self) -> None:
        """Read all files again; raises as the construction, and then nothing changes."""
        self.context = self._make()
        self.generation += 1

    def warnings(self) -> list[str]:
        """Say what ends soon, or has ended since it was read."""
        return _warnings(self._own, self._trust)


_held: Final[WeakSet[ServerTls | ClientTls]] = WeakSet()
"""All that this process shows and believes."""


def reload_all() -> list[CaimiError]:
    """Read every certificate, key and trusted authority again; gives what kept some from it."""
    failed: list[CaimiError] = []
    for each in list(_held):
        try:
            each.reload()
        except CaimiError as error:
            failed.append(error.with_traceback(None))  # which would hold on to this very list
    return failed


def all_warnings() -> list[str]:
    """Say of everything that this process holds what ends soon, or has ended; each thing once."""
    return list(dict.fromkeys(text for each in list(_held) for text in each.warnings()))


def all_expirations() -> dict[str, float]:
    """Give when what this process holds ends, Unix seconds, by its file: the first of each."""
    found: dict[str, float] = {}
    for held in (certificate for each in list(_held) for certificate in each.held):
        ends = held.certificate.not_valid_after_utc.timestamp()
        found[str(held.file)] = min(ends, found.get(str(held.file), ends))
    return found


def _of_tls_1_3(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def _believe(context: ssl.SSLContext, trust: Sequence[Path]) -> list[HeldCertificate]:
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    trusted = [HeldCertificate(path, each) for path in trust for each in read_certificates(path)]
    if trusted:
        context.load_verify_locations(cadata=to_pem([each.certificate for each in trusted]))
    return trusted


def _of_the_public() -> ssl.SSLContext:
    import httpx  # noqa: PLC0415 - for those alone who trust the public authorities

    return httpx.create_ssl_context(trust_env=False)


def _warnings(own: TlsFiles | None, trust: Sequence[Path]) -> list[str]:
    said = []
    for path in (*((own.certificate,) if own else ()), *trust):
        try:
            found = read_certificates(path)
            said += [check_time(each, f"{path}") for each in found]
        except (CertificateExpired, CertificateInvalid) as error:
            said.append(f"{error.what} {error.next_step}")
    return [text for text in said if text]


def _tell(warnings: list[str]) -> None:
    for text in warnings:
        _log.warning("%s", text)


def _no_password() -> str:
    """Keep OpenSSL from asking at the terminal for the passphrase of an encrypted key."""
    return ""
