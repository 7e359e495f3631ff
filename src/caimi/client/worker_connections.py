"""Connections to workers, each of which is whom the configuration says that it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from caimi.chains import AccountId
from caimi.client.context import Context
from caimi.composition.trust import Trust
from caimi.config import Config
from caimi.errors.node import NodeRefused, NodeUnreachable
from caimi.inference.inclusion import Inclusion
from caimi.inference.receipt import SignedReceipt
from caimi.services.endpoint import TIMEOUT, Endpoint
from caimi.services.workers import WORKER_TIMEOUT, HttpWorker
from caimi.tls.contexts import ClientTls


def worker_tls(config: Config, url: str) -> ClientTls | None:
    """Give whom the worker at a URL may be, and what it is shown."""
    return Trust(config).of(url, config.worker_trust(url))


@asynccontextmanager
async def worker_at(
    config: Config, url: str, within: httpx.Timeout = WORKER_TIMEOUT
) -> AsyncIterator[HttpWorker]:
    """Connect to the worker at a URL, which may take as long to answer as running a model does."""
    endpoint = Endpoint(url, timeout=within, tls=worker_tls(config, url))
    try:
        yield HttpWorker(endpoint)
    finally:
        await endpoint.aclose()


async def inclusion_of(config: Config, context: Context, signed: SignedReceipt) -> Inclusion | None:
    """Ask the worker that signed for the inclusion proof; None when it has none to give."""
    said = signed.receipt
    for entry in config.workers:
        if str(AccountId(entry.ledger, entry.account)) == said.worker:
            digest = said.digest(context.ledger(said.worker_ledger).accounts)
            async with worker_at(config, entry.url, TIMEOUT) as worker:
                try:
                    return await worker.inclusion(digest)
                except (NodeRefused, NodeUnreachable):
                    return None
    return None
