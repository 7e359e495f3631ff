"""What operations work with, put together from a configuration and its connections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

from caimi.client.assets import Assets
from caimi.client.context import Context
from caimi.client.keyring import Identity
from caimi.composition.assets import assets_of
from caimi.config import Config
from caimi.custody.keys import GroupKey
from caimi.errors.machine import SystemRefused
from caimi.errors.operations import KeyMissing
from caimi.hex_text import read_either_case, read_hex
from caimi.journal import Journal, JournalStore
from caimi.ledgers.port import Ledger, LedgerId
from caimi.places import cache_folder
from caimi.services.custodians import HttpCustodian
from caimi.services.endpoint import Endpoint
from caimi.storage.local import LocalStore

if TYPE_CHECKING:
    from caimi.services.validators import HttpValidator

SERVICE_POLL_SECONDS = 0.3


def make_context(
    config: Config,
    keys: Identity | None,
    ledgers: Mapping[LedgerId, Ledger],
    nodes: Mapping[int, Endpoint],
) -> Context:
    """Join what operations work with. `nodes` are the committee's, by index."""

    def validators() -> list[HttpValidator]:
        from caimi.services.validators import HttpValidator

        return [HttpValidator(endpoint) for endpoint in nodes.values()]

    if config.delivery.mode == "self" and keys is not None:
        from caimi.messaging.relayer import Relayer

        held = {name: each for name, each in ledgers.items() if keys.holds(name)}
        relayer = Relayer(held, validators(), keys.signers(held))

        async def carry() -> None:
            if not (await relayer.step()).did_anything:
                await asyncio.sleep(SERVICE_POLL_SECONDS)
    else:

        async def carry() -> None:
            await asyncio.sleep(SERVICE_POLL_SECONDS)

    group = GroupKey.from_bytes(read_hex(config.committee.group_key)) if config.committee else None
    return Context(
        ledgers=ledgers,
        store=LocalStore(config.path(config.store.path)),
        journal=_journal(config, keys),
        keys=keys,
        group=group,
        custodians=[
            HttpCustodian(each.index, read_either_case(each.account), nodes[each.index])
            for each in (config.committee.custodians if config.committee else ())
        ],
        carry=carry,
        wait_seconds=config.delivery.wait_seconds,
        index_folder=_index_folder(),
        validators=validators,
        assets=Assets(assets_of(config)),
    )


def _journal(config: Config, keys: Identity | None) -> Journal:
    """Open the user's journal; whoever only reads decides nothing, and needs no file for it."""
    if keys is None:
        return Journal(cast("JournalStore", _NoStore()), config.journal_path)
    from caimi.persistence import open_journal

    return open_journal(config)


class _NoStore:
    """Keeps nothing: whatever it is asked for raises `KeyMissing`."""

    def __getattr__(self, name: str) -> NoReturn:
        raise KeyMissing("No key was opened: this network is for reading.")


def _index_folder() -> Path | None:
    """Give where indices of models are kept; None for a user without a home."""
    try:
        return cache_folder() / "models"
    except SystemRefused:
        return None
