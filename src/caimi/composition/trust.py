"""Whom a configuration believes behind its URLs, and what it shows to them."""

from __future__ import annotations

from caimi.config import Config
from caimi.errors.operations import ConfigInvalid
from caimi.tls.contexts import ClientTls, TlsFiles


class Trust:
    """The TLS of the URLs in a configuration, each kind read once."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._read: dict[tuple[str, ...], ClientTls] = {}

    def of(self, url: str, trust: str | None = None) -> ClientTls | None:
        """Give the TLS for a URL, whom `trust` alone may be; None where it is no https URL.

        Raises:
            ConfigInvalid: `trust` is of no https URL.
            CertificateInvalid, CertificateExpired: a file of it cannot be used.
        """
        if not url.lower().startswith("https:"):
            if trust is not None:
                raise ConfigInvalid(f"{url} is not https, and only {trust} may answer there.")
            return None
        named = (trust,) if trust is not None else tuple(self._config.tls.trust)
        if named not in self._read:
            paths = [self._config.path(text) for text in named]
            self._read[named] = ClientTls(paths, self.own())
        return self._read[named]

    def own(self) -> TlsFiles | None:
        """Give this program's own certificate and key, where it has them."""
        tls = self._config.tls
        if tls.certificate is None or tls.key is None:
            return None
        return TlsFiles(self._config.path(tls.certificate), self._config.path(tls.key))
