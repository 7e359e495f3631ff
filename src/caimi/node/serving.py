"""Where a worker's models come from: it pulls, as any licensed consumer does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from caimi.client.context import Context
from caimi.client.inference import onnx_file
from caimi.client.pull import pull
from caimi.client.resolve import resolve
from caimi.errors.custody import NotEnoughShares
from caimi.errors.inference import ModelNotServed
from caimi.errors.ledgers import UnknownModel
from caimi.errors.operations import UnknownLedger, UnknownSelector
from caimi.inference.engine import Engine
from caimi.inference.worker import ServedModel
from caimi.uri import ModelUri

MAX_MODELS = 64


class LicensedModels:
    """Opened versions, pulled on first use with the worker's own licence (port `Models`)."""

    def __init__(self, context: Context, engine: Engine, folder: Path) -> None:
        self._context = context
        self._engine = engine
        self._folder = folder
        self._opening: dict[ModelUri, asyncio.Task[ServedModel]] = {}

    async def serve(self, uri: ModelUri) -> ServedModel:
        """Give the version that `uri` names; see `Models.serve`."""
        resolved = await self._resolved(uri)
        opening = self._opening.pop(resolved, None)
        if opening is None:
            opening = asyncio.create_task(self._open(resolved))
            opening.add_done_callback(lambda task: self._forget_failed(resolved, task))
        self._opening[resolved] = opening  # last in the order: the longest unused is closed first
        if len(self._opening) > MAX_MODELS:
            self._opening.pop(next(iter(self._opening)))
        return await asyncio.shield(opening)

    async def _resolved(self, uri: ModelUri) -> ModelUri:
        """Turn an alias into a version; a version that was opened stays what it is."""
        if uri in self._opening:
            return uri
        try:
            return (await resolve(self._context, uri)).uri
        except (UnknownModel, UnknownSelector, UnknownLedger) as error:
            raise ModelNotServed(f"This worker does not serve {uri}: {error.what}") from error

    def _forget_failed(self, uri: ModelUri, task: asyncio.Task[ServedModel]) -> None:
        failed = task.cancelled() or task.exception() is not None
        if failed and self._opening.get(uri) is task:
            del self._opening[uri]

    async def _open(self, uri: ModelUri) -> ServedModel:
        folder = self._folder / uri.model_id.hex() / (uri.selector or "")
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            pulled = await pull(self._context, uri, folder)
        except NotEnoughShares as error:
            raise ModelNotServed(
                f"This worker cannot open {uri}: {error.what}",
            ) from error
        session = await asyncio.to_thread(self._engine.load, onnx_file(pulled))
        return ServedModel(uri, pulled.manifest.digest, session)
