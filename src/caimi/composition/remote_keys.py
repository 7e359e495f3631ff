"""A user's keys that other machines keep, by the names under which the configuration has them."""

from __future__ import annotations

from collections.abc import Collection

from caimi.composition.trust import Trust
from caimi.config import Config
from caimi.credentials import read_secret_file
from caimi.hex_text import read_either_case
from caimi.services.remote_signer import RemoteSigner


class RemoteKeys:
    """What `[keys.remote]` lists; a name in it has its own key behind a signing service."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._listed = config.keys.remote

    @property
    def names(self) -> Collection[str]:
        """The names that are listed."""
        return self._listed.keys()

    def account(self, name: str) -> bytes:
        """Give a listed name's account, 20 bytes; nobody is asked."""
        return read_either_case(self._listed[name].account, 20)

    def signer(self, name: str) -> RemoteSigner:
        """Make a listed name's signer; nobody is asked until something is signed.

        Raises:
            ConfigInvalid: it has a `trust`, and its URL is no https.
            CertificateInvalid, CertificateExpired: a file that is named of TLS cannot be used.
            RemoteSignerFailed: its URL is neither https nor on this machine.
            KeyLocked: its token cannot be read, or others can read it too.
        """
        section = self._listed[name]
        tls = Trust(self._config).of(section.url, section.trust)
        file = section.token_file
        token = read_secret_file(self._config.path(file)).decode("latin-1") if file else ""
        return RemoteSigner(section.url, self.account(name), token, tls=tls)
