"""The network for scripts and notebooks: every operation, synchronously.

>>> import caimi
>>> net = caimi.connect("caimi.toml")                            # doctest: +SKIP
>>> model = net.publish("model.onnx", name="m", version="1.0.0")  # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from caimi.client.network import AsyncNetwork
from caimi.config import load_config

T = TypeVar("T")
P = ParamSpec("P")


def _blocking(
    operation: Callable[Concatenate[AsyncNetwork, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Network, P], T]:
    """Give an operation that waits for its end, with the same parameters and the same words."""

    @wraps(operation)
    def wait(self: Network, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(operation(self._network, *args, **kwargs))

    return wait


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

    publish = _blocking(AsyncNetwork.publish)
    publish_many = _blocking(AsyncNetwork.publish_many)
    search = _blocking(AsyncNetwork.search)
    show = _blocking(AsyncNetwork.show)
    history = _blocking(AsyncNetwork.history)
    lineage = _blocking(AsyncNetwork.lineage)
    buy = _blocking(AsyncNetwork.buy)
    grant = _blocking(AsyncNetwork.grant)
    revoke = _blocking(AsyncNetwork.revoke)
    transfer = _blocking(AsyncNetwork.transfer)
    pull = _blocking(AsyncNetwork.pull)
    load = _blocking(AsyncNetwork.load)
    open_remote = _blocking(AsyncNetwork.open_remote)
    open_streamed = _blocking(AsyncNetwork.open_streamed)
    ask = _blocking(AsyncNetwork.ask)
    verify = _blocking(AsyncNetwork.verify)
    verify_receipt = _blocking(AsyncNetwork.verify_receipt)
    licences = _blocking(AsyncNetwork.licences)
    set_price = _blocking(AsyncNetwork.set_price)
    withdraw_price = _blocking(AsyncNetwork.withdraw_price)
    prices = _blocking(AsyncNetwork.prices)
    packets = _blocking(AsyncNetwork.packets)
    set_alias = _blocking(AsyncNetwork.set_alias)
    alias_history = _blocking(AsyncNetwork.alias_history)
    deprecate = _blocking(AsyncNetwork.deprecate)


def connect(
    config: str | Path | None = None,
    *,
    key: str | None = None,
    ask: Callable[[str], str] | None = None,
    profile: str | None = None,
) -> Network:
    """Connect with a configuration file, or a profile; `key` names the key to act with.

    `config` is a file or the folder that it is in; without it, ``$CAIMI_CONFIG`` or the
    `caimi.toml` of this folder or one above it. `ask` is called for a passphrase that neither
    ``$CAIMI_PASSPHRASE`` nor the file gives.

    Raises:
        ConfigMissing, ConfigInvalid, UnknownProfile: there is no usable configuration.
        KeyMissing, KeyLocked: the key cannot be opened.
        LedgerUnavailable, WrongLedger: a ledger does not answer, or is another one.
    """
    return Network(AsyncNetwork.connect(load_config(config, profile), key=key, ask=ask))


def connect_async(
    config: str | Path | None = None,
    *,
    key: str | None = None,
    ask: Callable[[str], str] | None = None,
    profile: str | None = None,
) -> AbstractAsyncContextManager[AsyncNetwork]:
    """Connect as `connect` does, for ``async with``: operations are awaited.

    Raises:
        ConfigMissing, ConfigInvalid, UnknownProfile: there is no usable configuration.
        KeyMissing, KeyLocked: the key cannot be opened, when the network is entered.
        LedgerUnavailable, WrongLedger: a ledger does not answer, or is another one; likewise.
    """
    return AsyncNetwork.connect(load_config(config, profile), key=key, ask=ask)
