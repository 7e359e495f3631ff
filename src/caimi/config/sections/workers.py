"""`[[workers]]` and `[serving]`: who answers inference requests, and how a worker does."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from caimi.config.section import Section
from caimi.config.sections.tls import check_trust
from caimi.config.values import AccountText, HttpUrl, LedgerNamed, LedgerText, PathText

_PORTS: Final = {"http": 80, "https": 443}


class WorkerSection(Section):
    """A worker that answers inference requests, and its account, as the ledger writes it.

    `trust` is a PEM file of whom alone its https URL may be.
    """

    url: HttpUrl
    account: AccountText
    ledger: LedgerText
    trust: PathText | None = None

    @model_validator(mode="after")
    def _trust_of_https_alone(self) -> Self:
        check_trust(self.url, self.trust)
        return self


def normalised_url(url: str) -> tuple[object, ...]:
    """Give what is the same of two URLs exactly where both lead to one place."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:  # no URL at all: nobody is asked there
        return (url,)
    host = (parts.hostname or "").rstrip(".")
    return parts.scheme, host, port, parts.path.rstrip("/"), parts.query


class ServingSection(Section):
    """How a worker runs models: what on, how many at a time, and within which memory.

    `ledger`, by id or name, is where its account signs and anchors receipts.
    """

    ledger: LedgerNamed | None = None
    provider: Literal["auto", "cpu", "cuda"] = "auto"
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    at_once: Annotated[int, Field(ge=1, le=4096)] = 64
    batch_rows: Annotated[int, Field(ge=1, le=65_536)] = 8
    batch_kib: Annotated[int, Field(ge=1, le=1 << 22)] = 1024
    batch_wait_ms: Annotated[float, Field(ge=0, le=10_000, strict=False)] = 0.0
    models_mib: Annotated[int, Field(ge=1, le=1 << 24)] = 8192
    models_open: Annotated[int, Field(ge=1, le=4096)] = 64
    models: Annotated[list[str], Field(max_length=10_000, strict=False)] | None = None
    run_seconds: Annotated[float, Field(gt=0, le=86_400, strict=False)] = 60.0
    memory_mib: Annotated[int, Field(ge=256, le=1 << 24)] | None = None
    arena_mib: Annotated[int, Field(ge=16, le=1 << 24)] | None = None
    prices: dict[str, int | str] = Field(default_factory=dict)
