"""The whole of a `caimi.toml`: its sections, and what is asked of them together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from caimi.config.section import TopSection
from caimi.config.sections.assets import AssetSection
from caimi.config.sections.committee import CommitteeSection
from caimi.config.sections.keys import KeysSection
from caimi.config.sections.ledgers import LedgerSection, PlaceSection, is_place
from caimi.config.sections.logging import LoggingSection
from caimi.config.sections.relaying import DeliverySection, RelayerSection
from caimi.config.sections.stores import DatabaseSection, StoreSection
from caimi.config.sections.tls import TlsSection
from caimi.config.sections.treasuries import TreasurySection
from caimi.config.sections.workers import ServingSection, WorkerSection, normalised_url
from caimi.config.values import Name, PathText
from caimi.errors.operations import UnknownLedger

_RENAMED: Final = {"relay": "delivery", "worker": "serving"}
Profiles = Annotated[dict[Name, dict[str, object]], Field(max_length=100)]


class Config(TopSection):
    """Everything a command needs to know."""

    ledgers: list[LedgerSection] = Field(default_factory=list, max_length=1000, strict=False)
    places: list[PlaceSection] = Field(default=[], max_length=1000, strict=False, exclude=True)
    """Those of the file's ledgers that CAIMI is not on yet."""
    assets: list[AssetSection] = Field(default_factory=list, max_length=1000, strict=False)
    committee: CommitteeSection | None = None
    keys: KeysSection = KeysSection()
    store: StoreSection = StoreSection()
    database: DatabaseSection | None = None
    delivery: DeliverySection = DeliverySection()
    relayer: RelayerSection = RelayerSection()
    workers: list[WorkerSection] = Field(default_factory=list, max_length=1000, strict=False)
    serving: ServingSection = ServingSection()
    treasuries: list[TreasurySection] = Field(default_factory=list, max_length=1000, strict=False)
    logging: LoggingSection = LoggingSection()
    tls: TlsSection = TlsSection()
    state: PathText = "state"
    profiles: Profiles = Field(default={}, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _no_earlier_name(cls, document: object) -> object:
        for earlier, name in _RENAMED.items():
            if isinstance(document, dict) and earlier in document:
                raise PydanticCustomError(
                    "renamed",
                    "[{earlier}] is called [{name}] now",
                    {"earlier": earlier, "name": name},
                )
        return document

    @model_validator(mode="before")
    @classmethod
    def _ledgers_without_caimi_apart(cls, document: object) -> object:
        listed = document.get("ledgers") if isinstance(document, dict) else None
        if not isinstance(document, dict) or not isinstance(listed, list):
            return document
        places = [each for each in listed if is_place(each)]
        if not places:
            return document
        ledgers = [each for each in listed if not is_place(each)]
        return {**document, "ledgers": ledgers, "places": places}

    @model_validator(mode="after")
    def _one_trust_of_a_worker(self) -> Self:
        found: dict[tuple[object, ...], str | None] = {}
        for entry in self.workers:
            if found.setdefault(normalised_url(entry.url), entry.trust) != entry.trust:
                raise ValueError(f"workers: {entry.url} is listed with more than one trust")
        return self

    def worker_trust(self, url: str) -> str | None:
        """Give the `trust` of the worker that is listed at a URL, however that is written."""
        wanted = normalised_url(url)
        return next(
            (each.trust for each in self.workers if normalised_url(each.url) == wanted), None
        )

    @property
    def journal_path(self) -> Path:
        """The journal of this user's operations."""
        return self.path(self.state) / "journal.sqlite"

    def ledger(self, name: str) -> LedgerSection:
        """Find a ledger by CAIP-2 id or by its short name.

        Raises:
            UnknownLedger: it is not listed.
        """
        for section in self.ledgers:
            if name in (section.id, section.name):
                return section
        if any(name in (place.id, place.name) for place in self.places):
            raise UnknownLedger(
                f"CAIMI is not on {name} yet.",
                why="Its section in caimi.toml does not say where the contracts are.",
                next_step=f"Run `caimi deploy {name}`.",
            )
        listed: list[LedgerSection | PlaceSection] = [*self.ledgers, *self.places]
        known = ", ".join(f"{each.id} ({each.name})" for each in listed)
        raise UnknownLedger(
            f"No ledger {name!r} in the configuration; there are: {known or 'none'}."
        )
