"""A connected network: every operation as a method, asynchronous.

`caimi.connect` gives the same synchronously, for scripts and notebooks. An operation imports what
it needs when it is called: reading needs a third of it, and is to be quick.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from caimi.client.assembling import make_context
from caimi.client.context import Context, Progress, no_progress
from caimi.client.keyring import Keyring
from caimi.composition.committee import reach_nodes
from caimi.composition.ledgers import account_among, open_ledgers
from caimi.config import Config
from caimi.errors.ids import InvalidAccountId
from caimi.errors.operations import UsageError
from caimi.extras import extra_named
from caimi.inference.engine import DEFAULT_ENGINE
from caimi.ledgers.port import Account, AliasChange, Done, Ledger, LedgerId
from caimi.uri import ModelUri

if TYPE_CHECKING:
    from caimi.client.batch import AnchoredPublication, Release
    from caimi.client.catalogue import FoundModel, HistoryLine, Shown
    from caimi.client.granting import ChangedLicence
    from caimi.client.inference import WorkerAnswer
    from caimi.client.licences import HeldLicence
    from caimi.client.packets import FollowedPacket
    from caimi.client.pricing import PricedModel, UnpricedModel
    from caimi.client.publish import Description, Published
    from caimi.client.pull import Pulled
    from caimi.client.purchase import Bought
    from caimi.client.transfer import Transferred
    from caimi.client.verify import Verified
    from caimi.inference.engine import Session
    from caimi.inference.tensors import Tensors
    from caimi.inference.wasm.hosting.host import ModuleHost
    from caimi.models.manifest import Manifest
    from caimi.models.package import Package


class AsyncNetwork:
    """Ledgers, custodians, a store and one key, ready to use."""

    def __init__(self, context: Context, config: Config) -> None:
        self.context = context
        self.config = config

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        config: Config,
        *,
        key: str | None = None,
        ask: Callable[[str], str] | None = None,
        price_caps: Mapping[LedgerId, int] | None = None,
        reading: bool = False,
    ) -> AsyncIterator[AsyncNetwork]:
        """Open the key and connect to everything the configuration names.

        For `reading` no key is opened, and what needs one raises `KeyMissing`. No transaction
        offers more for a unit of work than the ledger's cap in `price_caps`.

        Raises:
            KeyMissing, KeyLocked: the key cannot be opened.
        """
        keys = None if reading else await asyncio.to_thread(Keyring(config, ask).open, key)
        async with AsyncExitStack() as stack:
            ledgers = await open_ledgers(stack, config.ledgers, price_caps)
            nodes = reach_nodes(stack, config)
            yield cls(make_context(config, keys, ledgers, nodes), config)

    def _ledger(self, name: str | None) -> LedgerId:
        """Take a ledger by id or short name; the only one when none is named."""
        if name is None:
            if len(self.context.ledgers) != 1:
                known = ", ".join(self.context.ledgers)
                raise UsageError(f"Name a ledger with --ledger; there are: {known}.")
            return next(iter(self.context.ledgers))
        return LedgerId(self.config.ledger(name).id)

    def ledgers(self, name: str | None = None) -> list[Ledger]:
        """Give one ledger by its id or short name, or all."""
        if name is None:
            return list(self.context.ledgers.values())
        return [self.context.ledger(self._ledger(name))]

    async def publish(
        self,
        path: str | Path | Package,
        *,
        name: str,
        version: str,
        ledger: str | None = None,
        price: str | None = None,
        asset: str | None = None,
        payees: Sequence[str] = (),
        model: str | None = None,
        description: Description | None = None,
        progress: Progress = no_progress,
    ) -> Published:
        """Publish a file, a directory or a package; see `caimi.client.publish.publish`.

        `payees` are CAIP-10 ids of accounts on ledgers where the price is paid: in coins, or in
        the token that `asset` names.
        """
        from caimi.client import publish
        from caimi.models.package import Package

        package = (
            path
            if isinstance(path, Package)
            else await asyncio.to_thread(publish.package_from, path)
        )
        return await publish.publish(
            self.context,
            package,
            ledger=self._ledger(ledger),
            name=name,
            version=version,
            price=price,
            asset=asset,
            payees=[self.account_named(each) for each in payees],
            model=model,
            description=description,
            progress=progress,
        )

    async def publish_many(
        self, releases: Sequence[Release], *, ledger: str
    ) -> list[AnchoredPublication]:
        """Anchor many publications by one transaction a batch, each with its proof."""
        from caimi.client.batch import PublicationBatcher

        batcher = PublicationBatcher(self.context, self._ledger(ledger))
        return await asyncio.gather(*(batcher.publish(release) for release in releases))

    async def search(
        self,
        text: str = "",
        ledger: str | None = None,
        *,
        exact: bool = False,
        publisher: str | None = None,
        for_sale: bool = False,
        progress: Progress = no_progress,
    ) -> list[FoundModel]:
        """Find models by a part of their name or id; see `caimi.client.catalogue.Sought`."""
        from caimi.client import catalogue

        where = self._ledger(ledger) if ledger is not None else None
        sought = catalogue.Sought(text, exact, publisher, for_sale)
        return await catalogue.search(self.context, sought, where, progress)

    async def show(self, uri: str, *, progress: Progress = no_progress) -> Shown:
        """Tell everything about a model."""
        from caimi.client import catalogue

        return await catalogue.show(self.context, uri, progress)

    async def lineage(self, uri: str) -> tuple[Manifest, ...]:
        """Give a version and all that it was made from, each once and before its parents."""
        from caimi.client import catalogue

        return await catalogue.ancestors(self.context, uri)

    async def history(self, uri: str, *, progress: Progress = no_progress) -> list[HistoryLine]:
        """List a model's events on all ledgers."""
        from caimi.client import catalogue

        return await catalogue.history(self.context, uri, progress)

    async def packets(self, named: str, ledger: str | None = None) -> list[FollowedPacket]:
        """Follow a packet by its id, or all of a transaction; see `caimi.client.packets`."""
        from caimi.client.packets import follow_packets

        (where,) = [None] if ledger is None else self.ledgers(ledger)
        return await follow_packets(self.context, named, where)

    async def licences(
        self, accounts: Sequence[Account], *, progress: Progress = no_progress
    ) -> list[HeldLicence]:
        """List the licences that some accounts hold, on all ledgers."""
        from caimi.client.licences import licences

        return await licences(self.context, accounts, progress=progress)

    async def set_price(
        self,
        uri: str,
        price: str,
        asset: str | None = None,
        *,
        payees: Sequence[str] = (),
        ledger: str | None = None,
    ) -> PricedModel:
        """Ask another price, in coins or a configured token, on every ledger that has it, or one.

        It is paid to the payees, CAIP-10 ids of accounts there, or else to the key's own accounts.
        """
        from caimi.client import pricing

        named = [self.account_named(each) for each in payees]
        on = None if ledger is None else self._ledger(ledger)
        return await pricing.set_price(self.context, uri, price, named, asset, on=on)

    async def withdraw_price(
        self,
        uri: str,
        asset: str | None = None,
        *,
        ledger: str | None = None,
        progress: Progress = no_progress,
    ) -> UnpricedModel:
        """Take a model off sale: wholly, for one asset, or on one ledger."""
        from caimi.client import pricing

        on = None if ledger is None else self._ledger(ledger)
        return await pricing.withdraw_price(self.context, uri, asset, on=on, progress=progress)

    async def prices(self, uri: str) -> PricedModel:
        """Tell what a licence of a model costs now, in coins and configured tokens."""
        from caimi.client import pricing

        return await pricing.prices_of(self.context, uri)

    async def buy(
        self,
        uri: str,
        *,
        ledger: str | None = None,
        asset: str | None = None,
        max_price: str | None = None,
        reader: str | None = None,
        again: bool = False,
        told: Callable[[str], None] | None = None,
        progress: Progress = no_progress,
    ) -> Bought:
        """Buy a licence; see `caimi.client.purchase.buy`. Pays on the home ledger unless told.

        It is paid in the ledger's coin, or in the token that `asset` names, and so is `max_price`.

        `told` hears, before anything is signed, what is paid beside the price: the relay deposit,
        which counts within a `max_price` in coins.

        It is for oneself, or for `reader`: an account of the paying ledger (its address or CAIP-10
        id), or the name of a key in the keyring.
        """
        from caimi.client import purchase

        paying = self._ledger(ledger) if ledger is not None else self._home(uri)
        return await purchase.buy(
            self.context,
            uri,
            ledger=paying,
            asset=asset,
            max_price=max_price,
            reader=None if reader is None else self._account(paying, reader),
            again=again,
            told=told or purchase.tell_nobody,
            progress=progress,
        )

    async def grant(
        self,
        uri: str,
        *,
        consumer: str,
        ledger: str | None = None,
        progress: Progress = no_progress,
    ) -> ChangedLicence:
        """Give a licence without payment; see `caimi.client.granting.grant`.

        `consumer` is the name of a key in the keyring or an account, of the model's own ledger
        unless `ledger` or its CAIP-10 id names another.
        """
        from caimi.client import granting

        whose = self._consumer(uri, consumer, ledger)
        return await granting.grant(self.context, uri, whose, progress=progress)

    async def revoke(
        self,
        uri: str,
        *,
        consumer: str,
        ledger: str | None = None,
        progress: Progress = no_progress,
    ) -> ChangedLicence:
        """Take a licence back; see `caimi.client.granting.revoke`. `consumer` is as in `grant`."""
        from caimi.client import granting

        whose = self._consumer(uri, consumer, ledger)
        return await granting.revoke(self.context, uri, whose, progress=progress)

    async def transfer(
        self,
        uri: str,
        *,
        recipient: str,
        to: str | None = None,
        timeout_seconds: int | None = None,
        min_depth: int = 0,
        progress: Progress = no_progress,
    ) -> Transferred:
        """Move a model's ownership; see `caimi.client.transfer.transfer`.

        `recipient` is an account's address, CAIP-10 id, or the name of a key in the keyring.
        """
        from caimi.client import transfer

        ledger = self._ledger(to) if to is not None else self._home(uri)
        wait = transfer.PACKET_SECONDS if timeout_seconds is None else timeout_seconds
        return await transfer.transfer(
            self.context,
            uri,
            to=ledger,
            recipient=self._account(ledger, recipient),
            timeout_seconds=wait,
            min_depth=min_depth,
            progress=progress,
        )

    async def pull(
        self,
        uri: str,
        directory: str | Path | None = None,
        *,
        permit: Collection[str] = (),
        progress: Progress = no_progress,
    ) -> Pulled:
        """Unlock, fetch and check a licensed version; by default into the private cache."""
        from caimi.client import pull

        target = Path(directory) if directory is not None else await self._cached(uri)
        return await pull.pull(self.context, uri, target, permit=permit, progress=progress)

    async def load(
        self, uri: str, *, engine: str = DEFAULT_ENGINE, progress: Progress = no_progress
    ) -> Session:
        """Pull a licensed version and open it in an engine: ``onnx``, ``wasm``, ``wasm-int8``…"""
        from caimi.client.inference import open_session

        pulled = await self.pull(uri, progress=progress)
        progress("open", 0, None)
        session = await asyncio.to_thread(open_session, pulled, engine)
        progress("open", 1, 1)
        return session

    async def open_remote(self, uri: str, server: str, model: str | None = None) -> Session:
        """Open a version that a server runs; see `caimi.client.inference.open_remote`."""
        from caimi.client.inference import open_remote

        return await open_remote(self.context, uri, server, model)

    async def open_streamed(self, uri: str, host: ModuleHost) -> Session:
        """Open a licensed version whose weights are streamed; see `open_streamed`."""
        with extra_named():
            from caimi.client.streaming import open_streamed

        return await open_streamed(self.context, uri, host)

    async def ask(
        self,
        uri: str,
        inputs: Tensors,
        *,
        worker: str | None = None,
        max_price: int | None = None,
        progress: Progress = no_progress,
    ) -> WorkerAnswer:
        """Have a worker run the model, and check the receipt it signs.

        `worker` is a URL; by default the first configured worker is asked. `max_price` is in the
        ledger's smallest unit.

        Raises:
            UsageError: no worker is named or configured.
            PriceTooHigh, ReceiptInvalid, NodeUnreachable, NodeRefused: see
                `caimi.client.inference.ask_worker`.
        """
        from caimi.client.inference import ask_worker
        from caimi.client.worker_connections import worker_at

        url = worker or next((entry.url for entry in self.config.workers), None)
        if url is None:
            raise UsageError("No worker is configured; name one with --worker URL.")
        async with worker_at(self.config, url) as client:
            progress(f"answer of {url}", 0, 1)
            answer = await ask_worker(self.context, client, uri, inputs, max_price=max_price)
            progress(f"answer of {url}", 1, 1)
            return answer

    async def verify(
        self,
        uri: str,
        directory: str | Path | None = None,
        *,
        progress: Progress = no_progress,
    ) -> Verified:
        """Check a version: ledger, manifest, stored chunks, and plain files where given."""
        from caimi.client.verify import verify_version

        files = None if directory is None else Path(directory)
        return await verify_version(self.context, uri, files, progress)

    async def verify_receipt(
        self,
        path: str | Path,
        *,
        inputs: Tensors | None = None,
        outputs: Tensors | None = None,
        session: Session | None = None,
        answer: str = "",
    ) -> Verified:
        """Check a worker's receipt: its signature, its model, and its batch if it is anchored.

        With `inputs` and `outputs`, also that it is about these; with `session`, which `load` gives
        for the receipt's model in an engine of the answer id `answer`, also that running the model
        again gives the same answer.
        """
        from caimi.client.verify import read_receipt, verify_receipt
        from caimi.client.worker_connections import inclusion_of
        from caimi.inference.spread import spread_of
        from caimi.inference.verification import Evidence

        signed = await asyncio.to_thread(read_receipt, Path(path))
        inclusion = await inclusion_of(self.config, self.context, signed)
        spread = spread_of(session, inputs)
        evidence = Evidence(inclusion, inputs, outputs, session, answer, spread)
        return await verify_receipt(self.context, signed, evidence)

    async def set_alias(self, uri: str, alias: str) -> Done[None]:
        """Point an alias at the version named."""
        from caimi.client import aliases

        return await aliases.set_alias(self.context, uri, alias)

    async def alias_history(self, uri: str, alias: str) -> list[AliasChange]:
        """List what an alias pointed at over time."""
        from caimi.client import aliases

        return await aliases.alias_history(self.context, uri, alias)

    async def deprecate(self, uri: str, reason: str) -> Done[None]:
        """Mark a version as deprecated."""
        from caimi.client import deprecation

        return await deprecation.deprecate(self.context, uri, reason)

    def _home(self, uri: str) -> LedgerId:
        return LedgerId(ModelUri.parse(uri).ledger)

    async def _cached(self, uri: str) -> Path:
        from caimi.client.resolve import resolve

        resolved = await resolve(self.context, uri)
        folder = self.config.path(self.config.state) / "models"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder / resolved.model.model_id.hex() / resolved.version.version

    def _consumer(self, uri: str, text: str, ledger: str | None) -> Account:
        """Read whose licence is meant, an account of any configured ledger."""
        if ledger is None and ":" in text:
            return self.account_named(text)
        return self._account(self._home(uri) if ledger is None else self._ledger(ledger), text)

    def _account(self, ledger: LedgerId, text: str) -> Account:
        accounts = self.context.ledger(ledger).accounts
        try:
            if ":" not in text:
                return accounts.parse(text)
            named = self.account_named(text)
            if named.ledger != ledger:
                raise UsageError(f"{text!r} is an account of {named.ledger}, and not of {ledger}.")
            return named
        except InvalidAccountId as error:
            keyring = Keyring(self.config)
            if text in keyring.names():
                return keyring.account_on(ledger, text)
            raise UsageError(f"{text!r} is neither an account nor the name of a key.") from error

    def account_named(self, text: str) -> Account:
        """Read a CAIP-10 id of an account of a configured ledger.

        Raises:
            InvalidAccountId: it is none.
            UnknownLedger: its ledger is not configured.
        """
        return account_among(text, self.context.ledgers)
