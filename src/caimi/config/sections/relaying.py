"""`[delivery]` and `[relayer]`: who carries packets, and on what terms."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from caimi.config.section import Section
from caimi.config.values import ListedAccount


class DeliverySection(Section):
    """Who carries this user's packets: a relayer service, or each command itself while it waits."""

    mode: Literal["service", "self"] = "self"
    wait_seconds: Annotated[int, Field(ge=1, le=86_400)] = 120


class RelayerRouteSection(Section):
    """How a relayer carries some routes: the first section that fits a route counts.

    `source` and `destination` are ledgers by id or name, `client` the source's client id; what is
    left out fits all. Fees and `minimum_fee` are in the source's smallest coin; `price_ratio` is
    how many of it one of the destination's is worth. With `propose` the relayer makes claims at
    optimistic clients, with bonds of its own.
    """

    source: str | None = None
    destination: str | None = None
    client: str | None = None
    carry: bool = True
    minimum_fee: Annotated[int, Field(ge=0)] = 0
    price_ratio: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)] = 1.0
    margin_percent: Annotated[int, Field(ge=0, le=1000)] = 20
    packets: Annotated[int, Field(ge=1, le=1000)] | None = None
    work: Annotated[int, Field(ge=1)] | None = None
    wait_seconds: Annotated[float, Field(ge=0, le=300, strict=False)] = 0.0
    propose: bool = False


class TurnsSection(Section):
    """Relayers that take turns: the same list, slot and guard at each of them.

    `accounts` are CAIP-10 ids, for each ledger those of all who share what it sends. An address
    alone is of every ledger that writes accounts so.
    """

    accounts: Annotated[list[ListedAccount], Field(min_length=1, max_length=4096, strict=False)]
    slot_seconds: Annotated[float, Field(ge=1, le=3600, strict=False)] = 60.0
    guard_seconds: Annotated[float, Field(ge=0, le=3600, strict=False)] = 20.0


class RelayerSection(Section):
    """What a relayer service carries; `price_caps` are wei a gas, by the ledger's id or name."""

    routes: list[RelayerRouteSection] = Field(default_factory=list, max_length=1000, strict=False)
    price_caps: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    turns: TurnsSection | None = None
