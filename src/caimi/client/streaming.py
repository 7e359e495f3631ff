"""Running a sealed version without opening it on disk: its module reads the weights as it goes."""

from __future__ import annotations

import asyncio
import hashlib

from caimi.client.context import Context
from caimi.client.pull import licensed_account, unlock_version
from caimi.client.resolve import fetch_manifest, resolve
from caimi.errors.inference import ModelNotRunnable, ModuleMalformed
from caimi.inference.wasm import SUFFIX
from caimi.inference.wasm.engine import WasmSession
from caimi.inference.wasm.hosting.host import ModuleHost
from caimi.inference.wasm.hosting.runner import Mode
from caimi.inference.wasm.hosting.sealed_weights import SealedWeights
from caimi.inference.wasm.module import CompiledModule
from caimi.models.content_key import ContentKey
from caimi.models.manifest import FileEntry, Manifest
from caimi.models.sealed_reader import SealedReader
from caimi.models.unsealing import fetch_bundle
from caimi.storage.port import blocking
from caimi.uri import ModelUri


async def open_streamed(context: Context, uri: str | ModelUri, host: ModuleHost) -> WasmSession:
    """Unlock a licensed version, and open its module with weights that are streamed as they are
    used. The publisher's signature covers the module; `caimi verify` shows what it was made from.

    Raises:
        ModelNotRunnable: the version has no compiled module, or several.
        ModuleMalformed: its module is none, or of another ONNX file than the version's.
        NotEnoughShares, SignatureInvalid, ChunkTampered…: as `pull`.
    """
    resolved = await resolve(context, uri)
    manifest = await fetch_manifest(context, resolved)
    await fetch_bundle(manifest, context.store)
    entry = _module_of(manifest)
    consumer = await licensed_account(context, resolved)
    key = (await unlock_version(context, resolved, manifest, consumer)).key
    module = await _opened(context, manifest, entry, key)
    weights = SealedWeights(manifest, blocking(context.store), key)
    session = await asyncio.to_thread(host.load, module, weights, mode=Mode.STREAMED)
    return WasmSession.of(session)


def _module_of(manifest: Manifest) -> FileEntry:
    found = [entry for entry in manifest.files if entry.path.endswith(SUFFIX)]
    if len(found) != 1:
        raise ModelNotRunnable(
            f"{manifest.name} {manifest.version} has {len(found)} compiled modules, not one.",
            next_step="Pull it and run it there, or publish it with `caimi compile`'s module.",
        )
    return found[0]


async def _opened(
    context: Context, manifest: Manifest, entry: FileEntry, key: ContentKey
) -> CompiledModule:
    reader = SealedReader(manifest, context.store, key)
    wasm = await reader.open_range(entry.path, 0, entry.size)
    if hashlib.sha256(wasm).digest() != entry.sha256:
        raise ModuleMalformed(f"{entry.path!r} is not the file that the manifest names.")
    module = CompiledModule.parse(wasm)
    if module.metadata.source not in {file.sha256 for file in manifest.files}:
        raise ModuleMalformed(f"{entry.path!r} is of an ONNX file that is not in the package.")
    return module
