"""What the EVM adapter hashes and has signed of publications, for a registry anywhere."""

from __future__ import annotations

from functools import cache

from caimi.contracts.site import SignedPublication
from caimi.ledgers.evm.artifacts import artifact
from caimi.ledgers.evm.connect import new_embedded_chain
from caimi.ledgers.evm.contract import Contract
from caimi.ledgers.evm.publication import Publications
from caimi.ledgers.port import Account, LedgerId, Publication


@cache
def publications_of(number: int, registry: bytes) -> Publications:
    chain = new_embedded_chain(number, {})
    return Publications(Contract(chain, registry, artifact("ModelRegistry").interface))


def published(number: int, signed: SignedPublication) -> Publication:
    """Give a publication as the port has it."""
    publisher = Account(LedgerId(f"eip155:{number}"), bytes(signed.publisher))
    return Publication(publisher, signed.name, signed.version, signed.manifest)
