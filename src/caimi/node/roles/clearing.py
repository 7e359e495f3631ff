"""An operator lets a validator sign a ledger again that was reorganised beyond its finality."""

from __future__ import annotations

from pathlib import Path

from caimi.composition.ledgers import prepare_ledger
from caimi.config import read_toml
from caimi.errors.operations import UnknownLedger
from caimi.hashing import keccak256
from caimi.node.settings import NodeSettings
from caimi.persistence import open_signed_store


def clear_ledger(settings_file: Path, ledger: str) -> str | None:
    """Let a validator sign `ledger` again, and give the reason why it had stopped.

    Raises:
        UnknownLedger: the settings do not list it.
    """
    settings = read_toml(settings_file, NodeSettings)
    section = next((each for each in settings.ledgers if ledger in (each.id, each.name)), None)
    if section is None:
        raise UnknownLedger(f"{settings_file} lists no ledger {ledger!r}.")
    origin = keccak256(prepare_ledger(section).gateway.address)
    store = open_signed_store(settings.database, settings.path(settings.signed))
    try:
        why = store.stopped(origin)
        store.clear(origin)
    finally:
        store.close()
    return why
