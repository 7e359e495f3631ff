"""A model's home: the one ledger that says who owns it, who is licensed, and what its versions are.

A model id is a hash over its home registry (ledger and account), the first publisher and the name,
in one formula for ledgers of all families (`caimi.contracts.naming.model_id`). So what a ledger
says of a model is believed only where the id can be made again from that ledger itself: no other
ledger can vouch for the model, whatever it records.
"""

from __future__ import annotations

from caimi.errors.custody import ForeignHome
from caimi.errors.ledgers import UnknownModel
from caimi.ledgers.port import NEWEST, At, Ledger, ModelRecord


def is_home(ledger: Ledger, record: ModelRecord) -> bool:
    """Tell whether `ledger` itself gave the id that `record` carries."""
    publisher = record.publisher
    return (
        publisher is not None
        and publisher.ledger == ledger.id
        and ledger.registry.model_id(publisher, record.name) == record.model_id
    )


async def home_model(ledger: Ledger, model_id: bytes, at: At = NEWEST) -> ModelRecord:
    """Give the model of this id, whose home is `ledger`.

    Raises:
        UnknownModel: the ledger has none of that id.
        ForeignHome: it has, but the model's home is another ledger.
    """
    record = await ledger.registry.model(model_id, at)
    if record.model_id != model_id or not is_home(ledger, record):
        raise ForeignHome(f"{ledger.id} is not the home of model 0x{model_id.hex()}.")
    return record


async def find_home_model(ledger: Ledger, model_id: bytes, at: At = NEWEST) -> ModelRecord | None:
    """Give the model as `home_model` does, or None where the ledger knows none of that id."""
    try:
        return await home_model(ledger, model_id, at)
    except UnknownModel:
        return None
