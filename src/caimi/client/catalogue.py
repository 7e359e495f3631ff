"""Finding models, and everything there is to know about one of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from caimi import html_text
from caimi.client.context import Context, Progress, no_progress
from caimi.client.events import details_of, event_of
from caimi.client.listing import Listing, listings
from caimi.client.model_index import ModelIndex
from caimi.client.pricing import AskedPrice, asked, asked_now
from caimi.client.resolve import Resolved, as_uri, fetch_manifest, resolve
from caimi.client.story import Storyteller
from caimi.client.voyage import follow
from caimi.errors.ids import InvalidAccountId
from caimi.errors.ledgers import CallInvalid
from caimi.ledgers.home import find_home_model
from caimi.ledgers.port import AccountCodec, ChangedAlias, Ledger, RegisteredModel
from caimi.models.lineage import Lineage, lineage
from caimi.models.manifest import Manifest
from caimi.uri import ModelUri


@dataclass(frozen=True, slots=True)
class FoundModel:
    """One line of a search; `final` unless it tells of what may still be undone.

    Prices are as they were set last, in coins and configured tokens, whose contracts are not asked:
    whoever buys is asked for what the ledger says then. Anybody
    can publish under any name: `namesakes` are other models of the same name on the ledgers that
    were searched, so that nobody takes one publisher's model for another's.
    """

    uri: str
    name: str
    latest: str
    publisher: str
    prices: tuple[AskedPrice, ...]
    final: bool = True
    namesakes: int = 0


@dataclass(frozen=True, slots=True)
class Sought:
    """What a search looks for: a part of the name or id, or the `exact` name.

    `publisher` is an account in a writing that its ledger reads; `for_sale` leaves out what has no
    price on any configured ledger.
    """

    text: str = ""
    exact: bool = False
    publisher: str | None = None
    for_sale: bool = False

    def names(self, model: RegisteredModel) -> bool:
        """Whether a model's name or id is sought."""
        sought = self.text.lower()
        if self.exact:
            return model.name == sought
        return sought in model.name or sought in model.model_id.hex()

    def takes(self, found: FoundModel, accounts: AccountCodec) -> bool:
        """Whether one that is named so is sought besides; `accounts` are of its home ledger."""
        if self.publisher is not None and not _is(found.publisher, self.publisher, accounts):
            return False
        return bool(found.prices) or not self.for_sale


@dataclass(frozen=True, slots=True)
class Shown:
    """One model in full, with what each alias means and how many licences are live.

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
    aliases: dict[str, str]
    licences: int
    prices: tuple[AskedPrice, ...]
    manifest: Manifest

    def _repr_html_(self) -> str:
        """Give the model card with what the ledgers say, for a notebook."""
        place = f"{self.owner} on {self.held_on}" + (" (in flight)" if self.in_flight else "")
        versions = (version + (" (deprecated)" if gone else "") for version, gone in self.versions)
        prices = ", ".join(f"{each.said} on {each.ledger}" for each in self.prices)
        said = {
            "uri": self.uri,
            "owner": place,
            "versions": ", ".join(versions),
            "prices": prices or "not for sale",
        }
        return html_text.facts(f"{self.name} {self.manifest.version}", said | self.manifest.facts())


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One event of a model's history; `final` unless it may still be undone.

    `event` is its kind and `details` are what the ledger says of it; `who` (CAIP-10, or empty),
    `what` and `prices` are the same for people.
    """

    ledger: str
    height: int
    time: int
    event: str
    who: str
    what: str
    prices: tuple[AskedPrice, ...]
    details: dict[str, str]
    tx: str
    final: bool = True


async def ancestors(context: Context, uri: str) -> Lineage:
    """Give the manifests of a version and of all that it was made from; see `lineage`.

    That the versions before it are on a ledger is not checked: it names them by their digests.

    Raises:
        BrokenLineage: a parent is missing, or there are too many.
    """
    manifest = await fetch_manifest(context, await resolve(context, uri))
    return await lineage(manifest, context.store.get)


async def search(
    context: Context,
    sought: Sought | str = "",
    ledger: str | None = None,
    progress: Progress = no_progress,
) -> list[FoundModel]:
    """List the models that are sought, at home on one ledger or on any, in the order of names."""
    wanted = Sought(sought) if isinstance(sought, str) else sought
    ledgers = [context.ledger(each) for each in ([ledger] if ledger else context.ledgers)]
    found = await _everywhere(context, ledgers, wanted.names, progress)
    alike, names = found, {each.name for each in found}
    if any(wanted.text.lower() not in name for name in names):  # found by ids, and so not all
        alike = await _everywhere(context, ledgers, lambda model: model.name in names, progress)
    bearing = Counter(each.name for each in alike)
    marked = [replace(each, namesakes=bearing[each.name] - 1) for each in found]
    taken = [each for each in marked if wanted.takes(each, _home(context, each).accounts)]
    return sorted(taken, key=lambda each: (each.name, each.uri))


def _home(context: Context, found: FoundModel) -> Ledger:
    return context.ledger(ModelUri.parse(found.uri).ledger)


def _is(written: str, sought: str, accounts: AccountCodec) -> bool:
    """Whether two writings are one account of a ledger; where one is none, they are not."""
    try:
        return accounts.parse(written) == accounts.parse(sought)
    except InvalidAccountId:
        return False


async def _everywhere(
    context: Context,
    ledgers: Iterable[Ledger],
    names: Callable[[RegisteredModel], bool],
    progress: Progress,
) -> list[FoundModel]:
    async def of(ledger: Ledger) -> list[FoundModel]:
        index = ModelIndex(ledger, context.index_folder, progress)
        known = await index.models(lambda model: names(model) and _is_home(ledger, model))
        return [_line(context, ledger.id, model) for model in listings(known)]

    told = await asyncio.gather(*map(of, ledgers))
    return [each for models in told for each in models]


def _is_home(ledger: Ledger, model: RegisteredModel) -> bool:
    try:
        return ledger.registry.model_id(model.publisher, model.name) == model.model_id
    except CallInvalid:  # a publisher that is no account there
        return False


def _line(context: Context, ledger: str, model: Listing) -> FoundModel:
    return FoundModel(
        uri=str(ModelUri(ledger, model.model_id, None)),
        name=model.name,
        latest=model.versions[-1] if model.versions else "",
        publisher=context.ledger(ledger).accounts.text(model.publisher),
        prices=tuple(_prices(context, model)),
        final=model.final,
    )


def _prices(context: Context, model: Listing) -> Iterator[AskedPrice]:
    """Give a model's prices in assets that are known, by paying ledger."""
    offers = {price.amount.asset: price for price in model.prices()}
    for ledger in context.ledgers.values():
        coin = [] if ledger.coins is None else [ledger.coins.asset]
        for asset in [*coin, *context.assets.on(ledger.id)]:
            if (price := offers.get(asset)) is not None:
                yield asked(context, replace(price, amount=asset.of(price.amount.units)))


async def show(context: Context, uri: str | ModelUri, progress: Progress = no_progress) -> Shown:
    """Everything about a model: owner, versions, prices, and the manifest of the version named.

    Raises:
        UnknownModel, UnknownSelector: the URI names nothing.
    """
    resolved = await resolve(context, uri)
    voyage = await follow(context, resolved.uri)
    versions = await resolved.ledger.registry.versions(resolved.model.model_id)
    live, _ = await resolved.ledger.market.tally(resolved.model.model_id)
    return Shown(
        uri=str(resolved.uri),
        name=resolved.model.name,
        publisher=context.text(resolved.model.publisher),
        owner=context.text(voyage.last.owner),
        held_on=voyage.last.ledger,
        path=voyage.last.path,
        in_flight=voyage.in_flight,
        versions=tuple((version.version, version.deprecated) for version in versions),
        aliases=await _aliases(context, resolved, progress),
        licences=live,
        prices=await asked_now(context, resolved.ledger.id, resolved.model.model_id),
        manifest=await fetch_manifest(context, resolved),
    )


async def _aliases(context: Context, resolved: Resolved, progress: Progress) -> dict[str, str]:
    """Give what each alias means now: their names by the index, their meaning by the ledger."""
    ledger, model_id = resolved.ledger, resolved.model.model_id
    known = await ModelIndex(ledger, context.index_folder, progress).history(model_id)
    names = {each.fact.name for each in known if isinstance(each.fact, ChangedAlias)}
    meant = {name: await ledger.registry.alias(model_id, name) for name in sorted(names)}
    return {name: version for name, version in meant.items() if version is not None}


async def history(
    context: Context, uri: str | ModelUri, progress: Progress = no_progress
) -> list[HistoryLine]:
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
        index = ModelIndex(ledger, context.index_folder, progress)
        teller = Storyteller(context, ledger.id)
        for each in await index.history(token):
            told = teller.tell(each.fact)
            lines.append(
                HistoryLine(
                    ledger=ledger_id,
                    height=each.height,
                    time=each.time,
                    event=event_of(each.fact),
                    who=told.who,
                    what=told.what,
                    prices=told.prices,
                    details=details_of(each.fact, ledger.accounts),
                    tx=each.tx,
                    final=each.final,
                )
            )
    return sorted(lines, key=lambda line: (line.time, line.ledger, line.height))
