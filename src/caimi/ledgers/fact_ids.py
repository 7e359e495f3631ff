"""The ids by which facts of one model are found: its own, and those of what began with a fact."""

from __future__ import annotations

from caimi.ledgers.port import (
    CompletedPurchase,
    GrantedLicence,
    ModelFact,
    OpenedPurchase,
    RefundedPurchase,
    RevokedLicence,
)


def subject(fact: ModelFact) -> bytes:
    """Give the id that a fact is found by: a licence's or purchase's where it has no model's."""
    match fact:
        case RevokedLicence(licence_id):
            return licence_id
        case CompletedPurchase(purchase_id) | RefundedPurchase(purchase_id):
            return purchase_id
        case _:
            return fact.model_id


def link(fact: ModelFact) -> bytes | None:
    """Give the id of the licence or purchase that begins with a fact, by which others find it."""
    match fact:
        case GrantedLicence(licence_id):
            return licence_id
        case OpenedPurchase(purchase_id):
            return purchase_id
        case _:
            return None
