"""A node joins a committee: settings of its operator's choices and the others' descriptions."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from caimi.config import CommitteeSection, CustodianSection, read_toml
from caimi.errors.node import DescriptionInvalid, NodeBegunOtherwise
from caimi.node.description import NodeDescription, in_order, read_description
from caimi.node.founding import DESCRIPTION, DRAFT, SETTINGS, TLS_CERTIFICATE, TLS_KEY
from caimi.node.settings import MemberSection, NodeDraft, NodeSettings, ServingTlsSection
from caimi.places import write_result
from caimi.tls.certificates import named, parse_certificates, to_pem

TRUST: Final = "trust"
_PLAIN: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class CommitteeTerms:
    """What all members agree on. `coordinator` may order a key generation."""

    members: tuple[NodeDescription, ...]
    threshold: int
    coordinator: bytes

    @classmethod
    def of(
        cls, members: Sequence[NodeDescription], threshold: int, coordinator: bytes
    ) -> CommitteeTerms:
        """Put the members in their order.

        Raises:
            DescriptionInvalid: two are the same, or the threshold does not fit their number.
        """
        if not 2 <= threshold <= len(members) <= 256:
            raise DescriptionInvalid(
                f"{threshold} of {len(members)} is no committee: 2 to all of at most 256 members.",
                why="One alone must not suffice, and more than all never come together.",
                next_step="Choose another --threshold, or name all members.",
            )
        return cls(tuple(in_order(members)), threshold, coordinator)


class NodeJoining:
    """Writes the settings of the node in `home`; `also` are authorities trusted besides."""

    def __init__(self, home: Path, also: Sequence[Path] = ()) -> None:
        self._home = home
        self._also = also
        self.own = read_description(home / DESCRIPTION)

    def carry_out(self, terms: CommitteeTerms) -> Path:
        """Write whom it trusts and its settings, whole or not at all; the same again is nothing.

        Raises:
            DescriptionInvalid: this node is no member.
            NodeBegunOtherwise: it has other settings already, or a file of another authority.
        """
        if self.own not in terms.members:
            raise DescriptionInvalid(f"{self.own.said} is none of the members.")
        trusted = [each.authority for each in terms.members]
        trusted += [path.read_text("ascii", "replace") for path in self._also]
        names = list(authority_files(trusted))
        settings = self._settings(terms, [f"{TRUST}/{name}" for name in names])
        file, text = self._home / SETTINGS, settings.dump()
        begun = file.exists()
        if begun and read_toml(file, NodeSettings).dump() != text:
            raise NodeBegunOtherwise(
                f"{file} says something else than what is asked for now.",
                next_step="Edit it, or move it away while the node holds no key share.",
            )
        write_trust(self._home / TRUST, trusted)
        if not begun:
            write_result(file, text.encode())
        return file

    def _settings(self, terms: CommitteeTerms, trust: list[str]) -> NodeSettings:
        draft = read_toml(self._home / DRAFT, NodeDraft)
        return NodeSettings(
            index=terms.members.index(self.own) + 1,
            host=draft.host,
            port=draft.port,
            threshold=terms.threshold,
            coordinator=f"0x{terms.coordinator.hex()}",
            committee=[
                MemberSection(
                    index=index,
                    account=f"0x{each.account.hex()}",
                    public_key=f"0x{each.public_key.hex()}",
                )
                for index, each in enumerate(terms.members, start=1)
            ],
            logging=draft.logging,
            tls=ServingTlsSection(certificate=TLS_CERTIFICATE, key=TLS_KEY, trust=trust),
            ledgers=draft.ledgers,
        )


def write_trust(folder: Path, authorities: Sequence[str]) -> None:
    """Write authorities' certificates, in PEM, each once; a file that is there already stays.

    Raises:
        CertificateInvalid: one is no certificate.
        NodeBegunOtherwise: raised by `check_trust`, before anything is written.
    """
    check_trust(folder, authorities)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in authority_files(authorities).items():
        if not (folder / name).exists():
            write_result(folder / name, text.encode())


def check_trust(folder: Path, authorities: Sequence[str]) -> None:
    """Check that `write_trust` would write over nothing.

    Raises:
        CertificateInvalid: one is no certificate.
        NodeBegunOtherwise: a file of that name holds something else.
    """
    for name, text in authority_files(authorities).items():
        file = folder / name
        if os.path.lexists(file) and _start_of(file, len(text) + 1) != text.encode():
            raise NodeBegunOtherwise(
                f"{file} does not hold the certificate that its name says.",
                why="Somebody changed or damaged it: who trusts it would trust another authority.",
                next_step="Find out who wrote it, move it away, and run the same command again.",
            )


def authority_files(authorities: Sequence[str]) -> dict[str, str]:
    """Give the files of authorities' certificates, in PEM: each one's text by its name, in order.

    Raises:
        CertificateInvalid: one is no certificate.
    """
    return dict(map(_authority_file, authorities))


def authority_file(text: str) -> str:
    """Name the file of an authority's certificate, in PEM; the whole fingerprint is in the name.

    Two authorities never have one file, whatever they call themselves. Of several certificates in
    one text the name has the SHA-256 of all.
    """
    return _authority_file(text)[0]


def _authority_file(text: str) -> tuple[str, str]:
    found = parse_certificates(text.encode(), "an authority's certificate")
    plain = _PLAIN.sub("-", named(found[0]).organisation.lower()).strip("-")[:32]
    whole = hashlib.sha256(b"".join(each.public_bytes(Encoding.DER) for each in found))
    return f"{plain or 'authority'}-{whole.hexdigest()}.pem", to_pem(found)


def _start_of(file: Path, size: int) -> bytes | None:
    """Give the first bytes of a plain file; None where it is none, or cannot be read."""
    try:
        if not file.is_file():
            return None
        with file.open("rb") as opened:
            return opened.read(size)
    except OSError:
        return None


def committee_section(terms: CommitteeTerms, group_key: bytes) -> CommitteeSection:
    """Give what users' caimi.toml says of a committee, whose trust is in `TRUST` beside it."""
    return CommitteeSection(group_key=f"0x{group_key.hex()}", custodians=custodians_of(terms))


def custodians_of(terms: CommitteeTerms) -> list[CustodianSection]:
    """Give what users' caimi.toml says of a committee's members, whose trust is in `TRUST`."""
    return [
        CustodianSection(
            index=index,
            url=each.url,
            account=f"0x{each.account.hex()}",
            trust=f"{TRUST}/{authority_file(each.authority)}",
        )
        for index, each in enumerate(terms.members, start=1)
    ]
