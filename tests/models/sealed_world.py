"""A publisher's world in a temporary directory: files, a store, a key, and the sealed result."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from caimi.models.content_key import ContentKey
from caimi.models.manifest import Manifest
from caimi.models.package import Package
from caimi.models.publication import build_manifest
from caimi.models.sealed_form import MIN_CHUNK_BYTES
from caimi.models.sealing import seal
from caimi.models.signing import PackageSigner
from caimi.storage import LocalStore

CHUNK = MIN_CHUNK_BYTES
MODEL_ID = bytes(range(32))
PUBLISHER = "eip155:31337:0x52908400098527886E0F7030069857D2E4169EE7"
SIGNER = PackageSigner.generate()


def write_files(root: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return root


@dataclass
class World:
    root: Path
    files: dict[str, bytes]
    key: ContentKey = field(default_factory=ContentKey.generate)
    model_id: bytes = MODEL_ID
    version: str = "1.0.0"
    chunk_bytes: int = CHUNK

    def __post_init__(self):
        self.source = write_files(self.root / "source", self.files)
        self.store = LocalStore(self.root / "store")
        self.package = Package.from_path(self.source)

    async def seal(self, **more):
        return await seal(
            self.package,
            more.pop("store", self.store),
            key=self.key,
            model_id=self.model_id,
            version=self.version,
            publisher=PUBLISHER,
            signer=SIGNER,
            chunk_bytes=self.chunk_bytes,
            **more,
        )

    async def publish(self, **said) -> Manifest:
        sealed = await self.seal()
        said = {"name": "m", "publisher": PUBLISHER, "licence": "Apache-2.0", **said}
        return build_manifest(sealed, capsule=b"capsule", group_key=b"\x02" * 33, **said)

    def published(self, **said) -> Manifest:
        return asyncio.run(self.publish(**said))
