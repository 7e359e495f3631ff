"""Models of which the indices on this machine tell, as they lie there: for suggestions alone."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from caimi.client.fact_text import read_fact
from caimi.ledgers.port import ChangedAlias, PublishedVersion, RegisteredModel
from caimi.uri import ModelUri

_SELECTION: Final = (
    "SELECT kind, body FROM facts WHERE kind IN (?, ?, ?) ORDER BY height, place LIMIT 20000"
)
_KINDS: Final = (RegisteredModel.__name__, PublishedVersion.__name__, ChangedAlias.__name__)


@dataclass(slots=True)
class HeardModel:
    """A model's URI and name, and what may follow an @ in the URI."""

    uri: str
    name: str
    versions: list[str] = field(default_factory=list)
    aliases: set[str] = field(default_factory=set)

    @property
    def selectors(self) -> list[str]:
        """Its aliases, then its versions, the newest first."""
        return [*sorted(self.aliases), *reversed(self.versions)]


def known_models(folder: Path) -> Iterator[HeardModel]:
    """Give the models that the files of a folder tell of; a file that cannot be read, of none."""
    for file in sorted(folder.glob("*.sqlite")):
        with contextlib.suppress(sqlite3.Error, ValueError, TypeError, OSError):
            yield from _models(file)


def _models(file: Path) -> list[HeardModel]:
    place = f"file:{quote(str(file))}?mode=ro"
    found: dict[bytes, HeardModel] = {}
    with contextlib.closing(sqlite3.connect(place, uri=True, timeout=0.2)) as database:
        for kind, body in database.execute(_SELECTION, _KINDS):
            match read_fact(kind, body):
                case RegisteredModel() as model:
                    uri = str(ModelUri(model.publisher.ledger, model.model_id, None))
                    found[model.model_id] = HeardModel(uri, model.name)
                case PublishedVersion() as version if version.model_id in found:
                    found[version.model_id].versions.append(version.version)
                case ChangedAlias() as alias if alias.model_id in found:
                    found[alias.model_id].aliases.add(alias.name)
                case _:
                    pass
    return list(found.values())
