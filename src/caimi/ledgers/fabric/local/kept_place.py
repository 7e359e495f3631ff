"""Where the ledger of a local network is asked, for whoever did not start it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from caimi.errors.fabric import FabricNetworkDamaged
from caimi.errors.ledgers import LedgerUnavailable
from caimi.json_text import read_json
from caimi.ledgers.port import LedgerId, LedgerPlace
from caimi.whole_files import write_whole

_FILE: Final = "place.json"
_MAX_BYTES: Final = 100_000


def write_place(folder: Path, place: LedgerPlace) -> None:
    """Write it into the network's folder, once the ledger answers."""
    write_whole(folder / _FILE, json.dumps({"id": place.id, "told": dict(place.told)}).encode())


def read_place(folder: Path, name: str) -> LedgerPlace:
    """Read it, for a ledger that is called `name`.

    Raises:
        LedgerUnavailable: it is not there yet.
        FabricNetworkDamaged: the file is not as it was written.
    """
    file = folder / _FILE
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
    except OSError as error:
        raise LedgerUnavailable(f"No network runs in {folder} yet: {error.strerror}.") from error
    try:
        if len(content) > _MAX_BYTES:
            raise ValueError(f"it is longer than {_MAX_BYTES} bytes")
        match read_json(content):
            case {"id": str(ledger), "told": dict(told)}:
                return LedgerPlace(LedgerId(ledger), name, told)
        raise ValueError("it does not say where a ledger is")
    except (ValueError, RecursionError) as error:
        raise FabricNetworkDamaged(f"{file} cannot be read: {error}.") from error
