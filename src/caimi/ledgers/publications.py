"""Publications in batches, on ledgers of all families: what a batch has of one, and what is signed.

A statement names the model by its id, which commits to the registry, its ledger, the publisher and
the name; ledger and name stand there in words too, for whoever reads what they sign.
"""

from __future__ import annotations

from typing import Final

from caimi.chains import InteroperableAddress
from caimi.contracts import publications
from caimi.contracts.identifiers import InteroperableAccount, ModelId
from caimi.contracts.site import SignedPublication
from caimi.ledgers.port import FieldType, Publication, Statement, StatementDomain, StatementType

_STATEMENT: Final = StatementType(
    StatementDomain("CAIMI", "1"),
    "Publication",
    (
        ("ledger", FieldType.STRING),
        ("name", FieldType.STRING),
        ("version", FieldType.STRING),
        ("modelId", FieldType.BYTES32),
        ("manifest", FieldType.BYTES32),
    ),
)


def publication_leaf(publication: Publication, model_id: bytes) -> bytes:
    """Give a publication's leaf; `model_id` is what the registry says (`Registry.model_id`).

    Raises:
        CallRefused: the manifest's digest has not 32 bytes, or a text is no Unicode.
    """
    return publications.publication_leaf(
        InteroperableAccount(publication.publisher.interoperable),
        ModelId(model_id),
        publication.version,
        publication.manifest,
    )


def publication_statement(publication: Publication, model_id: bytes) -> Statement:
    """Give what the publisher signs; `model_id` as for the leaf.

    Raises:
        ValueError: the id or the manifest's digest has not 32 bytes, or a text is no Unicode.
    """
    return _STATEMENT.state(
        publication.publisher.ledger,
        publication.name,
        publication.version,
        model_id,
        publication.manifest,
    )


def statement_signed(publication: SignedPublication) -> Statement:
    """Give the statement for ledgers that run `caimi.contracts` (`Accounts.signed`)."""
    return _STATEMENT.state(
        InteroperableAddress.from_bytes(publication.registry).ledger,
        publication.name,
        publication.version,
        publication.model,
        publication.manifest,
    )
