"""What publishers sign for a release that somebody else brings to the ledger."""

from __future__ import annotations

from typing import Final

from caimi.contracts.site import SignedPublication
from caimi.ledgers.port import FieldType, Statement, StatementDomain, StatementType

PUBLICATION: Final = StatementType(
    StatementDomain("CAIMI", "1"),
    "Publication",
    (
        ("registry", FieldType.BYTES),
        ("publisher", FieldType.BYTES),
        ("name", FieldType.STRING),
        ("version", FieldType.STRING),
        ("manifest", FieldType.BYTES),
    ),
)


def publication_statement(said: SignedPublication) -> Statement:
    """Give the statement of a publication."""
    fields = (said.registry, said.publisher, said.name, said.version, said.manifest)
    return PUBLICATION.state(*fields)
