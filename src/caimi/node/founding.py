"""The directory of a new node: what its operator chose, its keys, its certificate, its unit.

What was chosen is written down first. Each later file is made whole or not at all and never written
over, so that the same command goes on after a kill, and with other choices nothing is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from caimi.config import read_toml
from caimi.errors.certificates import CertificateInvalid
from caimi.errors.node import NodeBegunOtherwise
from caimi.keystore import LocalSigner
from caimi.node.description import NodeDescription, check_url
from caimi.node.settings import NodeDraft
from caimi.node.unit import systemd_unit
from caimi.places import write_result
from caimi.tls.authority import CertificateAuthority, Wanted, check_host, make_request
from caimi.tls.certificates import check_time, hosts_of, read_certificates, to_pem

DRAFT: Final = "draft.toml"
ACCOUNT: Final = "account.json"
TLS_KEY: Final = "tls.key"
TLS_REQUEST: Final = "tls.csr"
TLS_CERTIFICATE: Final = "tls.pem"
AUTHORITY: Final = "authority.pem"
DESCRIPTION: Final = "description.json"
SETTINGS: Final = "node.toml"


@dataclass(frozen=True, slots=True)
class FoundedNode:
    """What came of it: `description` is for the others, and none while `lacking` names files."""

    account: bytes
    description: NodeDescription | None
    lacking: tuple[str, ...]


class NodeFounding:
    """Makes a node's directory `home` as `draft` says; `command` is how `caimi` is run there."""

    def __init__(self, home: Path, draft: NodeDraft, command: tuple[str, ...]) -> None:
        self._home = home
        self._draft = draft
        self._command = command

    @property
    def unit(self) -> Path:
        """The systemd unit."""
        return self._home / f"caimi-{self._draft.name}.service"

    def plan(self, *, signed_here: bool) -> dict[str, str]:
        """Say of each file what it is, and whether it is there already."""
        whole = {
            DRAFT: "what you chose",
            ACCOUNT: "the key that it attests with, encrypted",
            TLS_KEY: "its TLS key, mode 0600",
            TLS_REQUEST: "the request for its certificate",
            **(
                {TLS_CERTIFICATE: "its certificate", AUTHORITY: "your authority's certificate"}
                if signed_here
                else {}
            ),
            self.unit.name: "a systemd unit",
            DESCRIPTION: "what you give to the others",
        }
        return {
            name: f"{what} (there already)" if (self._home / name).exists() else what
            for name, what in whole.items()
        }

    def carry_out(
        self, passphrase: bytes, authority: CertificateAuthority | None = None
    ) -> FoundedNode:
        """Make what is not there yet. Blocking.

        Raises:
            NodeBegunOtherwise: the directory is of a node that was begun with other choices.
            KeyLocked: the passphrase does not open the key that is there.
            RequestNotSigned: the authority is of another organisation.
            CertificateInvalid, CertificateExpired: the certificate that is there does not fit.
        """
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._keep_draft()
        signer = self._signer(passphrase)
        self._certify(authority)
        self._new(
            self.unit,
            systemd_unit(
                f"node {self._draft.name}",
                (*self._command, "service", "node", str(self._home.resolve() / SETTINGS)),
                self._home.resolve(),
                Path("/etc/caimi") / f"{self._draft.name}.passphrase",
            ).encode(),
        )
        lacking = tuple(
            name for name in (TLS_CERTIFICATE, AUTHORITY) if not (self._home / name).exists()
        )
        if lacking:
            return FoundedNode(signer.account, None, lacking)
        described = self._described(signer)
        write_result(self._home / DESCRIPTION, described.to_json().encode())
        return FoundedNode(signer.account, described, ())

    def _keep_draft(self) -> None:
        file = self._home / DRAFT
        if not file.exists():
            if (self._home / SETTINGS).exists() or (self._home / ACCOUNT).exists():
                raise NodeBegunOtherwise(f"{self._home} is a node's that was not begun here.")
            self._new(file, self._draft.dump().encode())
        elif read_toml(file, NodeDraft).dump() != self._draft.dump():
            raise NodeBegunOtherwise(f"{file} says something else than what is asked for now.")

    def _signer(self, passphrase: bytes) -> LocalSigner:
        file = self._home / ACCOUNT
        if not file.exists():
            LocalSigner.generate().save(file, passphrase)
        return LocalSigner.load(file, passphrase)

    def _certify(self, authority: CertificateAuthority | None) -> None:
        draft = self._draft
        host = check_host(check_url(draft.url)[0])
        request = make_request(
            self._home / TLS_KEY, Wanted(draft.name, draft.organisation, (host,))
        )
        certificate, trusted = self._home / TLS_CERTIFICATE, self._home / AUTHORITY
        if not (self._home / TLS_REQUEST).exists():
            self._new(self._home / TLS_REQUEST, request.public_bytes(Encoding.PEM))
        if authority is not None:
            if not certificate.exists():
                self._new(certificate, to_pem([authority.sign(request)]).encode())
            if not trusted.exists():
                self._new(trusted, to_pem([authority.certificate]).encode())
        if certificate.exists():
            self._check(read_certificates(certificate)[0], request, host)

    def _check(
        self, own: x509.Certificate, request: x509.CertificateSigningRequest, host: str
    ) -> None:
        place = self._home / TLS_CERTIFICATE
        check_time(own, str(place))
        if own.public_key() != request.public_key():
            raise CertificateInvalid(f"{place} is not of the key {self._home / TLS_KEY}.")
        if host not in hosts_of(own):
            raise CertificateInvalid(f"{place} is not for {host}, where this node is reached.")
        if not (self._home / AUTHORITY).exists():
            return
        (trusted,) = read_certificates(self._home / AUTHORITY)[:1]
        try:
            own.verify_directly_issued_by(trusted)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise CertificateInvalid(
                f"{place} was not signed by the authority in {self._home / AUTHORITY}."
            ) from error

    def _described(self, signer: LocalSigner) -> NodeDescription:
        found = NodeDescription(
            self._draft.name,
            self._draft.organisation,
            self._draft.url,
            signer.private_key.public_key.format(),
            to_pem(read_certificates(self._home / AUTHORITY)[:1]),
        )
        return NodeDescription.from_json(found.to_json())

    @staticmethod
    def _new(file: Path, content: bytes) -> None:
        if not file.exists():
            write_result(file, content)
