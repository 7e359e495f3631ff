"""The network for scripts and notebooks: every operation, synchronously.

>>> import caimi
>>> net = caimi.connect("caimi.toml")                            # doctest: +SKIP
>>> model = net.publish("model.onnx", name="m", version="1.0.0")  # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from caimi.client.batch import AnchoredPublication, PublicationBatcher, Release
from caimi.client.network import AsyncNetwork
from caimi.config import load_config

if TYPE_CHECKING:
    from caimi.client.catalogue import Found, HistoryLine, Shown
    from caimi.client.inference import WorkerAnswer
    from caimi.client.publish import Description, Published
    from caimi.client.pull import Pulled
    from caimi.client.purchase import Bought
    from caimi.client.transfer import Transferred
    from caimi.client.verify import Verified
    from caimi.inference.engine import Session
    from caimi.inference.tensors import Tensors
    from caimi.ledgers.port import AliasChange, Done
    from caimi.models.package import Package

T = TypeVar("T")


class Network:
    """A connected network. Close it, or use it in a `with` statement.

    An event loop in a thread of its own does the work, so it can be used where a loop already
    runs, as in a notebook. Methods are those of `caimi.client.network.AsyncNetwork`, and raise the
    same errors.
    """

    def __init__(self, opening: AbstractAsyncContextManager[AsyncNetwork]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="caimi", daemon=True)
        self._thread.start()
        self._opening = opening
        try:
            self._network = self._run(opening.__aenter__())
        except BaseException:
            self._stop()
            raise

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def close(self) -> None:
        """Disconnect."""
        if not self._loop.is_closed():
            self._run(self._opening.__aexit__(None, None, None))
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def publish(
        self,
        path: str | Path | Package,
        *,
        name: str,
        version: str,
        ledger: str | None = None,
        price: str | None = None,
        model: str | None = None,
        description: Description | None = None,
    ) -> Published:
        """Publish a file, a directory or a package."""
        return self._run(
            self._network.publish(
                path,
                name=name,
                version=version,
                ledger=ledger,
                price=price,
                model=model,
                description=description,
            )
        )

    def publish_many(
        self, releases: Sequence[Release], *, ledger: str
    ) -> list[AnchoredPublication]:
        """Anchor many publications by one transaction a batch, each with its proof."""

        async def publish() -> list[AnchoredPublication]:
            batcher = PublicationBatcher(
                self._network.context, self._network.config.ledger(ledger).id
            )
            return await asyncio.gather(*(batcher.publish(release) for release in releases))

        return self._run(publish())

    def search(self, text: str = "", ledger: str | None = None) -> list[Found]:
        """Find models by a part of their name or id."""
        return self._run(self._network.search(text, ledger))

    def show(self, uri: str) -> Shown:
        """Tell everything about a model."""
        return self._run(self._network.show(uri))

    def history(self, uri: str) -> list[HistoryLine]:
        """List a model's events on all ledgers."""
        return self._run(self._network.history(uri))

    def buy(
        self,
        uri: str,
        *,
        ledger: str | None = None,
        max_price: str | None = None,
        again: bool = False,
    ) -> Bought:
        """Buy a licence; pays on the home ledger unless told, for a second licence only `again`."""
        return self._run(self._network.buy(uri, ledger=ledger, max_price=max_price, again=again))

    def transfer(
        self,
        uri: str,
        *,
        recipient: str,
        to: str | None = None,
        timeout_seconds: int | None = None,
        min_depth: int = 0,
    ) -> Transferred:
        """Move a model's ownership, one hop at a time."""
        return self._run(
            self._network.transfer(
                uri,
                recipient=recipient,
                to=to,
                timeout_seconds=timeout_seconds,
                min_depth=min_depth,
            )
        )

    def pull(
        self, uri: str, directory: str | Path | None = None, *, permit: Collection[str] = ()
    ) -> Pulled:
        """Unlock, fetch and check a licensed version."""
        return self._run(self._network.pull(uri, directory, permit=permit))

    def load(self, uri: str, engine: str = "onnx") -> Session:
        """Pull a licensed version and open it in ONNX Runtime."""
        return self._run(self._network.load(uri, engine=engine))

    def ask(
        self,
        uri: str,
        inputs: Tensors,
        *,
        worker: str | None = None,
        max_price: int | None = None,
    ) -> WorkerAnswer:
        """Have a worker run the model, and check the receipt it signs."""
        return self._run(self._network.ask(uri, inputs, worker=worker, max_price=max_price))

    def verify(self, uri: str, directory: str | Path | None = None) -> Verified:
        """Check a version: ledger, manifest, signature, stored chunks, and plain files."""
        return self._run(self._network.verify(uri, directory))

    def verify_receipt(
        self,
        path: str | Path,
        *,
        inputs: Tensors | None = None,
        outputs: Tensors | None = None,
        session: Session | None = None,
    ) -> Verified:
        """Check a worker's receipt."""
        return self._run(
            self._network.verify_receipt(path, inputs=inputs, outputs=outputs, session=session)
        )

    def set_alias(self, uri: str, alias: str) -> Done[None]:
        """Point an alias at the version named."""
        return self._run(self._network.set_alias(uri, alias))

    def alias_history(self, uri: str, alias: str) -> list[AliasChange]:
        """List what an alias pointed at over time."""
        return self._run(self._network.alias_history(uri, alias))

    def deprecate(self, uri: str, reason: str) -> Done[None]:
        """Mark a version as deprecated."""
        return self._run(self._network.deprecate(uri, reason))


def connect(
    config: str | Path | None = None,
    *,
    key: str | None = None,
    ask: Callable[[str], str] | None = None,
) -> Network:
    """Connect with a configuration file; `key` names the key to act with.

    `ask` is called for a passphrase that neither ``$CAIMI_PASSPHRASE`` nor the file gives.

    Raises:
        ConfigMissing, ConfigInvalid: there is no usable configuration.
        KeyMissing, KeyLocked: the key cannot be opened.
        LedgerUnavailable, WrongLedger: a ledger does not answer, or is another one.
    """
    return Network(AsyncNetwork.connect(load_config(config), key=key, ask=ask))
