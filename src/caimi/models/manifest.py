"""The manifest: what one immutable version of a model is. Its SHA-256 is what a ledger anchors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from caimi import html_text
from caimi.chains import AccountId
from caimi.errors.models import ManifestInconsistent, ManifestMalformed
from caimi.models.ancestry import SCHEMA, Ancestry, Contributor, read_schema
from caimi.models.card import MAX_METRICS, Dataset, ModelCard, read_metrics
from caimi.models.licence import MAX_LICENCE_CHARACTERS, check_licence
from caimi.models.paths import MAX_PATH_BYTES, check_distinct, check_path
from caimi.models.sealed_form import MAX_FILES, Capsule, SealedForm, SignatureRecord, read_cid
from caimi.models.strict_json import Json, JsonFields, check_text, decode, encode
from caimi.models.tensor import Tensor
from caimi.storage.cid import Cid
from caimi.uri import is_version

MAX_MANIFEST_BYTES: Final = 16 * 1024 * 1024
MAX_VERSION: Final = 64
MAX_NAME: Final = 128
_MAX_TENSORS: Final = 1024
_MAX_DATASETS: Final = 1024
_MAX_ACCOUNT: Final = 256


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of the package: path, size in bytes and SHA-256 of its plain bytes.

    Construction raises `UnsafePath` or `ManifestMalformed`.
    """

    path: str
    size: int
    sha256: bytes

    def __post_init__(self) -> None:
        check_path(self.path)
        if self.size < 0 or len(self.sha256) != 32:
            raise ManifestMalformed(f"{self.path!r} has no size or no SHA-256 of 32 bytes.")

    @property
    def cid(self) -> Cid:
        """The content identifier of the plain file."""
        return Cid(self.sha256)

    def to_json(self) -> dict[str, Json]:
        """Give the manifest's form."""
        return {
            "path": self.path,
            "size": self.size,
            "sha256": self.sha256.hex(),
            "cid": str(self.cid),
        }

    @classmethod
    def read(cls, fields: JsonFields) -> FileEntry:
        """Read the manifest's form; raises as construction does, and `ManifestInconsistent`."""
        entry = cls(
            path=fields.text("path", MAX_PATH_BYTES),
            size=fields.integer("size"),
            sha256=fields.hexadecimal("sha256", 32),
        )
        if read_cid(fields, "cid") != entry.cid:
            raise ManifestInconsistent(f"{entry.path!r}: CID and SHA-256 name different bytes.")
        return entry


@dataclass(frozen=True)
class Manifest:
    """One version of a model; equal manifests have equal bytes. Construction checks every bound.

    `model_id` has 32 bytes; `publisher` is a CAIP-10 account; `parents` are the digests of the
    versions that this one was made from. One that was read keeps the `schema` that it was written
    in, and so its bytes. Construction raises `ManifestMalformed`, `ManifestInconsistent`,
    `UnsafePath`, or `InvalidAccountId` and `InvalidLedgerId` for the publisher.
    """

    name: str
    version: str
    model_id: bytes
    publisher: str
    files: tuple[FileEntry, ...]
    framework: str
    licence: str
    sealing: SealedForm
    signature: SignatureRecord
    capsule: Capsule
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    parents: tuple[bytes, ...] = ()
    contributors: tuple[Contributor, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    metrics: Mapping[str, float] | None = None
    card: ModelCard = field(default_factory=ModelCard)
    schema: str = SCHEMA

    def __post_init__(self) -> None:
        check_text("name", self.name, MAX_NAME)
        check_text("framework", self.framework, MAX_NAME)
        if len(self.version) > MAX_VERSION or not is_version(self.version):
            raise ManifestMalformed(f"{self.version[:80]!r} is no version: it begins with a digit.")
        if len(self.model_id) != 32:
            raise ManifestMalformed(f"A model id has 32 bytes, not {len(self.model_id)}.")
        Ancestry(self.parents, self.contributors).to_json(self.schema)
        AccountId.parse(self.publisher)
        check_licence(self.licence)
        object.__setattr__(self, "metrics", read_metrics(self.metrics or {}))
        paths = [file.path for file in self.files]
        if not paths or len(paths) > MAX_FILES:
            raise ManifestMalformed(f"{len(paths)} files; 1 to {MAX_FILES} are allowed.")
        if paths != sorted(paths):
            raise ManifestMalformed("The files are not in the order of their paths.")
        check_distinct(paths)
        self.sealing.check_fits([file.size for file in self.files])

    @cached_property
    def canonical_bytes(self) -> bytes:
        """The manifest as RFC 8785 JSON."""
        return encode(self.to_json())

    @cached_property
    def digest(self) -> bytes:
        """The SHA-256 of the canonical bytes, which the ledger anchors."""
        return hashlib.sha256(self.canonical_bytes).digest()

    @property
    def cid(self) -> Cid:
        """The name under which a store holds the manifest."""
        return Cid(self.digest)

    @property
    def total_bytes(self) -> int:
        """The size of all plain files together."""
        return sum(file.size for file in self.files)

    def index_of(self, path: str) -> int | None:
        """Give a file's place in `files`, None when there is none of that path."""
        return next((i for i, file in enumerate(self.files) if file.path == path), None)

    def facts(self) -> dict[str, object]:
        """Give what a person reads of it first, by name; what it does not say is empty."""
        card = {name.replace("_", " "): text for name, text in self.card.to_json().items() if text}
        return {
            "publisher": self.publisher,
            "licence": self.licence,
            **card,
            "inputs": ", ".join(map(str, self.inputs)),
            "outputs": ", ".join(map(str, self.outputs)),
            "metrics": ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
            if self.metrics
            else "",
            "datasets": ", ".join(each.name for each in self.datasets),
            "contributors": ", ".join(f"{each.role} {each.account}" for each in self.contributors),
            "framework": self.framework,
            "files": f"{len(self.files)}, {self.total_bytes:,} bytes",
            "model": f"0x{self.model_id.hex()}",
            "manifest": f"0x{self.digest.hex()}",
        }

    def _repr_html_(self) -> str:
        """Give the model card, for a notebook."""
        return html_text.facts(f"{self.name} {self.version}", self.facts())

    def to_json(self) -> dict[str, Json]:
        """Give the JSON tree."""
        return {
            "schema": self.schema,
            "name": self.name,
            "version": self.version,
            "model_id": "0x" + self.model_id.hex(),
            "publisher": self.publisher,
            **Ancestry(self.parents, self.contributors).to_json(self.schema),
            "files": [file.to_json() for file in self.files],
            "framework": self.framework,
            "inputs": [tensor.to_json() for tensor in self.inputs],
            "outputs": [tensor.to_json() for tensor in self.outputs],
            "licence": self.licence,
            "datasets": [dataset.to_json() for dataset in self.datasets],
            "metrics": dict(self.metrics or {}),
            "card": self.card.to_json(),
            "signature": self.signature.to_json(),
            "sealing": self.sealing.to_json(),
            "capsule": self.capsule.to_json(),
        }

    @classmethod
    def parse(cls, data: bytes) -> Manifest:
        """Read canonical bytes, strictly; `Manifest.parse(m.canonical_bytes) == m`.

        Raises:
            ManifestTooLarge: over 16 MiB, or nested too deeply.
            ManifestMalformed: not JSON, or a field that is not as the schema says.
            ManifestNotCanonical: valid, but in other bytes than RFC 8785 gives.
            ManifestInconsistent: parts contradict each other.
            UnsafePath: a path that a package may not hold.
        """
        fields = JsonFields(decode(data, MAX_MANIFEST_BYTES))
        schema = read_schema(fields)
        ancestry = Ancestry.read(fields, schema)
        manifest = cls(
            name=fields.text("name", MAX_NAME),
            version=fields.text("version", MAX_VERSION),
            model_id=fields.hexadecimal("model_id", 32, prefix="0x"),
            publisher=fields.text("publisher", _MAX_ACCOUNT),
            parents=tuple(ancestry.parents),
            contributors=tuple(ancestry.contributors),
            files=fields.objects("files", MAX_FILES, FileEntry.read),
            framework=fields.text("framework", MAX_NAME),
            inputs=fields.objects("inputs", _MAX_TENSORS, Tensor.read),
            outputs=fields.objects("outputs", _MAX_TENSORS, Tensor.read),
            licence=fields.text("licence", MAX_LICENCE_CHARACTERS),
            datasets=fields.objects("datasets", _MAX_DATASETS, Dataset.read),
            metrics=read_metrics(fields.mapping("metrics", MAX_METRICS)),
            card=ModelCard.read(fields.mapping("card", 64)),
            signature=SignatureRecord.read(fields.object("signature")),
            sealing=SealedForm.read(fields.object("sealing")),
            capsule=Capsule.read(fields.object("capsule")),
            schema=schema,
        )
        fields.done()
        return manifest
