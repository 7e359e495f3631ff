"""Errors of storing and of sealing (letter S)."""

from __future__ import annotations

from typing import ClassVar

from caimi.errors.base import CaimiError


class StorageError(CaimiError):
    """A store could not do what was asked of it."""

    code: ClassVar[str] = "CAIMI-S000"
    why: str = "The medium under the store failed."
    next_step: str = "Check the store's disk or service and run the command again."


class InvalidCid(StorageError):
    """A text or bytes are not a content identifier that CAIMI uses."""

    code: ClassVar[str] = "CAIMI-S001"
    why: str = "Content is named by CIDv1, raw codec, SHA-256 or BLAKE3, in lower-case base32."
    next_step: str = "Copy the identifier again from where it was published."


class ObjectMissing(StorageError):
    """The store does not hold an object."""

    code: ClassVar[str] = "CAIMI-S002"
    why: str = "It was never stored there, was deleted, or its upload has not finished."
    next_step: str = "Add another store that holds it, or ask the publisher to upload it again."


class ObjectCorrupted(StorageError):
    """An object's bytes do not match its identifier."""

    code: ClassVar[str] = "CAIMI-S003"
    why: str = "The object was altered or damaged where it is stored."
    next_step: str = "Store the object again (that repairs it), or use another store."


class ObjectTooLarge(StorageError):
    """An object is larger than a store takes."""

    code: ClassVar[str] = "CAIMI-S004"
    why: str = "Objects are bounded so that no peer can exhaust memory or disk."
    next_step: str = "Use smaller chunks."


class StoreFull(StorageError):
    """There is no room left for an object; nothing of it was kept."""

    code: ClassVar[str] = "CAIMI-S005"
    why: str = "The disk, the quota or the allowed file size is exhausted."
    next_step: str = "Make room and run the command again: finished chunks are not repeated."


class StoreUnusable(StorageError):
    """A store's directory cannot be opened, read or written."""

    code: ClassVar[str] = "CAIMI-S006"
    why: str = "It is missing, is not a plain directory, or its permissions forbid it."
    next_step: str = "Check the path and its permissions; symbolic links inside are refused."


class SealingError(CaimiError):
    """Sealing or unsealing a package failed."""

    code: ClassVar[str] = "CAIMI-S010"
    why: str = "A step of sealing or unsealing was refused."
    next_step: str = "Read what was refused, correct it and run the command again."


class InvalidSealingTerms(SealingError):
    """A content key, chunk size, model id or version is not one that can seal a package."""

    code: ClassVar[str] = "CAIMI-S011"
    why: str = "Content keys have 32 bytes; chunks have 64 KiB to 16 MiB; ids have 32 bytes."
    next_step: str = "Correct the value that is named."


class WrongContentKey(SealingError):
    """A content key does not belong to this package."""

    code: ClassVar[str] = "CAIMI-S012"
    why: str = "The key was unlocked for another model or version, or is damaged."
    next_step: str = "Unlock the key of this very model version again."


class ChunkMissing(SealingError):
    """A sealed chunk that the manifest names is in no store."""

    code: ClassVar[str] = "CAIMI-S013"
    why: str = "Its upload never finished, or it was deleted."
    next_step: str = "Run the command again with a store that holds it; finished chunks are kept."


class ChunkTampered(SealingError):
    """A sealed chunk's bytes do not match the manifest."""

    code: ClassVar[str] = "CAIMI-S014"
    why: str = "The chunk was altered, truncated or damaged where it is stored."
    next_step: str = "Fetch from another store, or ask the publisher to upload it again."


class ChunkMisplaced(SealingError):
    """A sealed chunk is genuine but belongs to another place, file, version or model."""

    code: ClassVar[str] = "CAIMI-S015"
    why: str = "Chunks were reordered, swapped or cut off in the manifest."
    next_step: str = "Do not use this version; tell its publisher."


class FileMismatch(SealingError):
    """An unsealed file is not the file that the manifest describes."""

    code: ClassVar[str] = "CAIMI-S016"
    why: str = "Its SHA-256 or size differs from the signed manifest."
    next_step: str = "Do not use this version; tell its publisher."


class DestinationOccupied(SealingError):
    """The place to unseal to holds something else, or cannot be used."""

    code: ClassVar[str] = "CAIMI-S017"
    why: str = "Unsealing never overwrites files and never follows symbolic links."
    next_step: str = "Choose another directory, or remove the one that is in the way."


class DestinationBusy(SealingError):
    """Another process is unsealing the same version to the same place."""

    code: ClassVar[str] = "CAIMI-S018"
    why: str = "Two writers would disturb each other."
    next_step: str = "Wait for the other process to end and run the command again."


class SourceChanged(SealingError):
    """A package's file changed or vanished while it was being sealed."""

    code: ClassVar[str] = "CAIMI-S019"
    why: str = "A publication must describe one state of its files."
    next_step: str = "Wait until nothing writes to the package, then publish again."


class UnknownSealedFile(SealingError):
    """A file or range was asked for that the package does not have."""

    code: ClassVar[str] = "CAIMI-S020"
    why: str = "The manifest lists every file with its size."
    next_step: str = "Choose a path and a range from the manifest."


class DestinationFull(SealingError):
    """There is no room to unseal to; what was finished is kept for the next attempt."""

    code: ClassVar[str] = "CAIMI-S022"
    why: str = "The disk, the quota or the allowed file size is exhausted."
    next_step: str = "Make room and run the command again: finished chunks are not repeated."


class SealingJournalUnusable(SealingError):
    """The record of a sealing in progress cannot be read or written."""

    code: ClassVar[str] = "CAIMI-S021"
    why: str = "The file is not a sealing record, or its place is not writable."
    next_step: str = "Remove the file: sealing then starts from the beginning."
