"""A node joins a committee: settings of its operator's choices and the others' descriptions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.config import CommitteeSection, CustodianSection, read_toml
from caimi.errors.node import DescriptionInvalid, NodeBegunOtherwise
from caimi.node.description import NodeDescription, in_order, read_description
from caimi.node.founding import DESCRIPTION, DRAFT, SETTINGS, TLS_CERTIFICATE, TLS_KEY
from caimi.node.settings import MemberSection, NodeDraft, NodeSettings, ServingTlsSection
from caimi.places import write_result
from caimi.tls.certificates import fingerprint, named, parse_certificates

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
            NodeBegunOtherwise: it has other settings already.
        """
        if self.own not in terms.members:
            raise DescriptionInvalid(f"{self.own.said} is none of the members.")
        trusted = [each.authority for each in terms.members]
        trusted += [path.read_text("ascii", "replace") for path in self._also]
        names = write_trust(self._home / TRUST, trusted)
        settings = self._settings(terms, [f"{TRUST}/{name}" for name in names])
        file, text = self._home / SETTINGS, settings.dump()
        if not file.exists():
            write_result(file, text.encode())
        elif read_toml(file, NodeSettings).dump() != text:
            raise NodeBegunOtherwise(
                f"{file} says something else than what is asked for now.",
                next_step="Edit it, or move it away while the node holds no key share.",
            )
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


def write_trust(folder: Path, authorities: Sequence[str]) -> list[str]:
    """Write authorities' certificates, in PEM, each once, and give the files' names in order.

    Raises:
        CertificateInvalid: one is no certificate.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for text in dict.fromkeys(authorities):
        name = authority_file(text)
        write_result(folder / name, text.encode())
        names.append(name)
    return list(dict.fromkeys(names))


def authority_file(text: str) -> str:
    """Name the file of an authority's certificate, in PEM, by whose it is and its fingerprint."""
    (certificate, *_) = parse_certificates(text.encode(), "an authority's certificate")
    plain = _PLAIN.sub("-", named(certificate).organisation.lower()).strip("-")[:32]
    return f"{plain or 'authority'}-{fingerprint(certificate)[:8]}.pem"


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
