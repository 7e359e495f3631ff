"""How a manifest records the sealed form of a package: chunks, the wrapped key, the signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caimi.errors.models import ManifestInconsistent, ManifestMalformed
from caimi.errors.storage import InvalidCid
from caimi.models.strict_json import Json, JsonFields, base64url
from caimi.storage.cid import Cid

ALGORITHM: Final = "AES-256-GCM-STREAM"
MIN_CHUNK_BYTES: Final = 64 * 1024
DEFAULT_CHUNK_BYTES: Final = 8 * 1024 * 1024
MAX_CHUNK_BYTES: Final = 16 * 1024 * 1024
MAX_FILES: Final = 10_000
MAX_CHUNKS: Final = 2**18
MAX_CAPSULE_BYTES: Final = 4096
MAX_GROUP_KEY_BYTES: Final = 256
_MAX_PEM: Final = 1024
_FINGERPRINT_BYTES: Final = 16


def chunk_count(size: int, chunk_bytes: int) -> int:
    """Give how many chunks a file of `size` bytes has; an empty file has one, empty, chunk."""
    return max(1, -(-size // chunk_bytes))


@dataclass(frozen=True, slots=True)
class SealedForm:
    """The chunks of every file, in the order of the manifest's files.

    `key_fingerprint` (16 bytes) tells a wrong content key from damaged chunks and reveals nothing
    of the key. Construction raises `ManifestMalformed`.
    """

    chunk_bytes: int
    key_fingerprint: bytes
    files: tuple[tuple[Cid, ...], ...]

    def __post_init__(self) -> None:
        if not MIN_CHUNK_BYTES <= self.chunk_bytes <= MAX_CHUNK_BYTES:
            raise ManifestMalformed(f"Chunks of {self.chunk_bytes} bytes are out of bounds.")
        if len(self.key_fingerprint) != _FINGERPRINT_BYTES:
            raise ManifestMalformed("The key fingerprint has not 16 bytes.")

    def check_fits(self, sizes: list[int]) -> None:
        """Refuse when the number of files or chunks contradicts the files' sizes.

        Raises:
            ManifestInconsistent: with the file's index.
        """
        if len(self.files) != len(sizes):
            raise ManifestInconsistent(f"{len(sizes)} files, but {len(self.files)} sealed ones.")
        for index, (chunks, size) in enumerate(zip(self.files, sizes, strict=True)):
            expected = chunk_count(size, self.chunk_bytes)
            if len(chunks) != expected:
                raise ManifestInconsistent(
                    f"File {index} of {size} bytes has {len(chunks)} chunks, not {expected}."
                )

    def to_json(self) -> dict[str, Json]:
        """Give the manifest's form."""
        return {
            "algorithm": ALGORITHM,
            "chunk_bytes": self.chunk_bytes,
            "key_fingerprint": self.key_fingerprint.hex(),
            "files": [{"chunks": [str(cid) for cid in chunks]} for chunks in self.files],
        }

    @classmethod
    def read(cls, fields: JsonFields) -> SealedForm:
        """Read the manifest's form; raises `ManifestMalformed`."""
        if fields.text("algorithm", 64) != ALGORITHM:
            fields.refuse("algorithm", f"is not {ALGORITHM}")
        form = cls(
            chunk_bytes=fields.integer("chunk_bytes", MIN_CHUNK_BYTES, MAX_CHUNK_BYTES),
            key_fingerprint=fields.hexadecimal("key_fingerprint", _FINGERPRINT_BYTES),
            files=fields.objects("files", MAX_FILES, _read_chunks),
        )
        fields.done()
        return form


@dataclass(frozen=True, slots=True)
class Capsule:
    """The content key, encrypted to a committee; opaque here. Raises `ManifestMalformed`."""

    ciphertext: bytes
    group_key: bytes

    def __post_init__(self) -> None:
        if not 0 < len(self.ciphertext) <= MAX_CAPSULE_BYTES:
            raise ManifestMalformed(f"A capsule of {len(self.ciphertext)} bytes is out of bounds.")
        if not 0 < len(self.group_key) <= MAX_GROUP_KEY_BYTES:
            raise ManifestMalformed(f"A group key of {len(self.group_key)} bytes is out of bounds.")

    def to_json(self) -> dict[str, Json]:
        """Give the manifest's form."""
        return {"ciphertext": base64url(self.ciphertext), "group_key": self.group_key.hex()}

    @classmethod
    def read(cls, fields: JsonFields) -> Capsule:
        """Read the manifest's form; raises `ManifestMalformed`."""
        key_digits = len(fields.text("group_key", 2 * MAX_GROUP_KEY_BYTES))
        capsule = cls(
            ciphertext=fields.base64url("ciphertext", MAX_CAPSULE_BYTES),
            group_key=fields.hexadecimal("group_key", key_digits // 2),
        )
        fields.done()
        return capsule


@dataclass(frozen=True, slots=True)
class SignatureRecord:
    """Where the package's signature bundle is stored, and the key that made it (PEM, P-256)."""

    cid: Cid
    sha256: bytes
    public_key: str

    def to_json(self) -> dict[str, Json]:
        """Give the manifest's form."""
        return {
            "cid": str(self.cid),
            "sha256": self.sha256.hex(),
            "public_key": self.public_key,
        }

    @classmethod
    def read(cls, fields: JsonFields) -> SignatureRecord:
        """Read the manifest's form; raises `ManifestMalformed` or `ManifestInconsistent`."""
        record = cls(
            cid=read_cid(fields, "cid"),
            sha256=fields.hexadecimal("sha256", 32),
            public_key=fields.text("public_key", _MAX_PEM),
        )
        fields.done()
        if record.cid != Cid(record.sha256):
            raise ManifestInconsistent("The signature's CID and SHA-256 name different bytes.")
        return record


def read_cid(fields: JsonFields, name: str) -> Cid:
    """Read a field that holds a content identifier; raises `ManifestMalformed`."""
    try:
        return Cid.parse(fields.text(name, 64))
    except InvalidCid as error:
        fields.refuse(name, f"is no content identifier: {error.what}")


def _read_chunks(fields: JsonFields) -> tuple[Cid, ...]:
    texts = fields.texts("chunks", MAX_CHUNKS, 64)
    try:
        return tuple(map(Cid.parse, texts))
    except InvalidCid as error:
        fields.refuse("chunks", f"holds no content identifier: {error.what}")
