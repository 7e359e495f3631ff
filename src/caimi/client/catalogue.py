"""Finding models, and everything there is to know about one of them."""

from __future__ import annotations

from dataclasses import dataclass

from caimi.client.amounts import format_amount
from caimi.client.context import Context
from caimi.client.resolve import as_uri, fetch_manifest, resolve
from caimi.client.voyage import follow
from caimi.ledgers.home import find_home_model, is_home
from caimi.ledgers.port import ModelRecord
from caimi.models.manifest import Manifest
from caimi.uri import ModelUri


@dataclass(frozen=True, slots=True)
class Found:
    """One line of a search."""

    uri: str
    name: str
    latest: str
    publisher: str
    prices: dict[str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """One model in full. `prices` are in coins by paying ledger.

    `path` are the ledgers that it came over to where it is held, without its home: the holder there
    trusts each of them.
    """

    uri: str
    name: str
    publisher: str
    owner: str
    held_on: str
    path: tuple[str, ...]
    in_flight: bool
    versions: tuple[tuple[str, bool], ...]
    prices: dict[str, str]
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One event of a model's history."""

    ledger: str
    height: int
    time: int
    event: str
    detail: str
    tx: str


async def search(context: Context, text: str = "", ledger: str | None = None) -> list[Found]:
    """List the models whose name or id contains `text`, at home on one ledger or on any."""
    found = []
    for candidate in [ledger] if ledger else list(context.ledgers):
        where = context.ledger(candidate)
        head = await where.head()
        for model in await where.registry.models(where.deployed_at - 1, head.height):
            if not is_home(where, model):
                continue
            if text.lower() in model.name or text.lower() in model.model_id.hex():
                found.append(await _line(context, candidate, model))
    return found


async def _line(context: Context, ledger: str, model: ModelRecord) -> Found:
    versions = await context.ledger(ledger).registry.versions(model.model_id)
    return Found(
        uri=str(ModelUri(ledger, model.model_id, None)),
        name=model.name,
        latest=versions[-1].version if versions else "",
        publisher=context.text(model.publisher),
        prices=await prices(context, ledger, model.model_id),
    )


async def prices(context: Context, home: str, model_id: bytes) -> dict[str, str]:
    """The model's prices in coins, by the ledger they are paid on."""
    market = context.ledger(home).market
    offered = {}
    for paying in context.ledgers:
        amount = await market.price(model_id, paying)
        if amount is not None:
            offered[str(paying)] = format_amount(amount)
    return offered


async def show(context: Context, uri: str | ModelUri) -> Shown:
    """Everything about a model: owner, versions, prices, and the manifest of the version named.

    Raises:
        UnknownModel, UnknownSelector: the URI names nothing.
    """
    resolved = await resolve(context, uri)
    voyage = await follow(context, resolved.uri)
    versions = await resolved.ledger.registry.versions(resolved.model.model_id)
    return Shown(
        uri=str(resolved.uri),
        name=resolved.model.name,
        publisher=context.text(resolved.model.publisher),
        owner=context.text(voyage.last.owner),
        held_on=voyage.last.ledger,
        path=voyage.last.path,
        in_flight=voyage.in_flight,
        versions=tuple((version.version, version.deprecated) for version in versions),
        prices=await prices(context, resolved.ledger.id, resolved.model.model_id),
        manifest=await fetch_manifest(context, resolved),
    )


async def history(context: Context, uri: str | ModelUri) -> list[HistoryLine]:
    """Every event about a model on every configured ledger, oldest first.

    Where it came to over other ledgers, only while it is there or further on: its token has another
    id there, which depends on the way.
    """
    model = as_uri(uri)
    known = {(ledger, model.model_id) for ledger in context.ledgers}
    if await find_home_model(context.ledger(model.ledger), model.model_id) is not None:
        known |= {(stop.ledger, stop.token) for stop in (await follow(context, model)).stops}
    lines = []
    for ledger_id, token in known:
        ledger = context.ledger(ledger_id)
        for entry in await ledger.registry.history(token):
            block = await ledger.block(entry.height)
            detail = ", ".join(f"{name} {value}" for name, value in entry.details)
            lines.append(
                HistoryLine(ledger_id, entry.height, block.time, entry.what, detail, entry.tx)
            )
    return sorted(lines, key=lambda line: (line.time, line.ledger, line.height))
