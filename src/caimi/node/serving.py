"""Where a worker's models come from: it pulls, as any licensed consumer does."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from caimi.client.context import Context
from caimi.client.inference import onnx_file
from caimi.client.pull import Pulled, pull
from caimi.client.resolve import resolve
from caimi.errors.custody import ForeignHome, NotEnoughShares
from caimi.errors.inference import ModelNotServed
from caimi.errors.ledgers import UnknownModel
from caimi.errors.operations import UnknownLedger, UnknownSelector
from caimi.inference.batching import rows_stay_apart
from caimi.inference.engine import Engine
from caimi.inference.metering import Meter
from caimi.inference.worker import ServedModel
from caimi.node.open_models import MAX_BYTES, Fetched, OpenModels
from caimi.uri import ModelUri


class LicensedModels:
    """Opened versions, pulled on first use with the worker's own licence (port `Models`).

    With `together` requests may be run together, of those versions whose rows stay apart; with
    `metered` what they use is told for prices.
    """

    def __init__(
        self,
        context: Context,
        engine: Engine,
        folder: Path,
        *,
        together: bool = False,
        max_bytes: int = MAX_BYTES,
        metered: bool = False,
    ) -> None:
        self._context = context
        self._engine = engine
        self._folder = folder
        self._together = together
        self._metered = metered
        self._open = OpenModels(self._pull, max_bytes=max_bytes)

    async def serve(self, uri: ModelUri) -> ServedModel:
        """Give the version that `uri` names; see `Models.serve`."""
        return await self._open.get(await self._resolved(uri))

    async def _resolved(self, uri: ModelUri) -> ModelUri:
        """Turn an alias into a version; a version that was opened stays what it is."""
        if uri in self._open:
            return uri
        try:
            return (await resolve(self._context, uri)).uri
        except (ForeignHome, UnknownModel, UnknownSelector, UnknownLedger) as error:
            raise ModelNotServed(f"This worker does not serve {uri}: {error.what}") from error

    async def _pull(self, uri: ModelUri) -> Fetched:
        folder = self._folder / uri.model_id.hex() / (uri.selector or "")
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            pulled = await pull(self._context, uri, folder)
        except NotEnoughShares as error:
            raise ModelNotServed(
                f"This worker cannot open {uri}: {error.what}",
            ) from error
        size = sum((pulled.directory / path).stat().st_size for path in pulled.files)
        return Fetched(size, partial(self._load, uri, pulled))

    async def _load(self, uri: ModelUri, pulled: Pulled) -> ServedModel:
        model = onnx_file(pulled)
        apart = self._together and await asyncio.to_thread(rows_stay_apart, model)
        session = await asyncio.to_thread(self._engine.load, model)
        meter = Meter(model) if self._metered else None
        return ServedModel(uri, pulled.manifest.digest, session, apart, meter)
