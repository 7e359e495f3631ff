"""Where a worker's models come from: it pulls, as any licensed consumer does, what it agreed to."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from caimi.client.context import Context
from caimi.client.inference import onnx_file
from caimi.client.pull import pull
from caimi.client.resolve import Resolved, fetch_manifest, resolve
from caimi.errors.custody import ForeignHome, NotEnoughShares
from caimi.errors.inference import ModelNotServed
from caimi.errors.ledgers import UnknownModel
from caimi.errors.node import LedgerTooSlow
from caimi.errors.operations import UnknownLedger, UnknownSelector
from caimi.inference.engine import Engine
from caimi.inference.meter import Meter
from caimi.inference.wasm.compiling.apart import rows_stay_apart_told
from caimi.inference.worker import ServedModel
from caimi.node.consent import Consent
from caimi.node.open_models import MAX_BYTES, MAX_MODELS, OpenableModel, OpenModels
from caimi.uri import ModelUri

RESOLVE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class ServingOptions:
    """How models are served.

    `together`: requests may be run together, of versions whose rows stay apart. `metered`: what
    they use is told for prices. `max_bytes` and `max_models` bound what is kept, on the disk too.
    """

    together: bool = False
    metered: bool = False
    max_bytes: int = MAX_BYTES
    max_models: int = MAX_MODELS


PLAIN: Final = ServingOptions()


class LicensedModels:
    """Opened versions, pulled on first use with the worker's own licence (port `Models`).

    `folder` is emptied: nothing there outlives the process that put it there.
    """

    def __init__(
        self,
        context: Context,
        engine: Engine,
        folder: Path,
        consent: Consent,
        options: ServingOptions = PLAIN,
    ) -> None:
        self._context = context
        self._engine = engine
        self._folder = folder
        self._consent = consent
        self._options = options
        self._open = OpenModels(
            self._find, max_bytes=options.max_bytes, max_models=options.max_models
        )
        shutil.rmtree(folder, ignore_errors=True)

    async def serve(self, uri: ModelUri) -> ServedModel:
        """Give the version that `uri` names; see `Models.serve`.

        Raises:
            ModelNotWanted: the operator did not agree to it.
            LedgerTooSlow: its ledger does not answer in time.
        """
        return await self._open.get(await self._resolved(uri))

    async def _resolved(self, uri: ModelUri) -> ModelUri:
        """Turn an alias into a version; a version that was opened stays what it is."""
        if uri in self._open:
            return uri
        resolved = await self._agreed(uri)
        return resolved.uri

    async def _agreed(self, uri: ModelUri) -> Resolved:
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                resolved = await resolve(self._context, uri)
                await self._consent.check(resolved)
        except (ForeignHome, UnknownModel, UnknownSelector, UnknownLedger) as error:
            raise ModelNotServed(f"This worker does not serve {uri}: {error.what}") from error
        except TimeoutError as error:
            raise LedgerTooSlow(
                f"The ledger of {uri} did not answer within {RESOLVE_SECONDS:g} seconds."
            ) from error
        return resolved

    async def _find(self, uri: ModelUri) -> OpenableModel:
        """Tell a version's size by its manifest, before anything of it is fetched."""
        manifest = await fetch_manifest(self._context, await self._agreed(uri))
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(await asyncio.to_thread(mkdtemp, dir=self._folder))
        return OpenableModel(
            manifest.total_bytes,
            partial(self._pull, uri, folder),
            partial(shutil.rmtree, folder, ignore_errors=True),
        )

    async def _pull(self, uri: ModelUri, folder: Path) -> ServedModel:
        try:
            pulled = await pull(self._context, uri, folder / "files")
        except NotEnoughShares as error:
            raise ModelNotServed(
                f"This worker cannot open {uri}: {error.what}",
            ) from error
        model = onnx_file(pulled)
        apart = self._options.together and await asyncio.to_thread(rows_stay_apart_told, model)
        session = await asyncio.to_thread(self._engine.load, model)
        meter = Meter(model) if self._options.metered else None
        return ServedModel(uri, pulled.manifest.digest, session, apart, meter)
