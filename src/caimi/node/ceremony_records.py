"""What a node writes down of key generations: the newest order, and each key it came to.

A share is saved, encrypted, before its confirmation leaves the node, and becomes the node's key
share by one rename once all members have confirmed. Killed in between, the node finds it again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from caimi.custody.dkg import Ceremony, SignedMessage, check_confirmed
from caimi.custody.encoding import Fields
from caimi.custody.keys import MAX_CUSTODIANS, KeyShare
from caimi.custody.keyshare_file import load_key_share, save_key_share
from caimi.errors.custody import CeremonyRecordDamaged, CustodyError
from caimi.errors.node import KeyShareExists
from caimi.whole_files import sync_directory, write_whole

_MAX_RECORD_BYTES: Final = 4 << 20
_MAX_TEXT: Final = 1 << 20
_FIELDS: Final = frozenset({"ceremony", "confirmation", "confirmations", "aside"})


@dataclass(frozen=True, slots=True)
class CeremonyRecord:
    """A key generation that this node confirmed; `confirmations` are all members', once heard.

    `aside` when its coordinator gave it up: another may begin, and it can still be finished.
    """

    ceremony: Ceremony
    confirmation: SignedMessage
    confirmations: tuple[SignedMessage, ...] = ()
    aside: bool = False

    @property
    def name(self) -> str:
        """The ceremony's digest in hexadecimal."""
        return self.ceremony.digest.hex()

    def to_json(self) -> str:
        """Write the one JSON form."""
        return json.dumps(
            {
                "ceremony": self.ceremony.to_json(),
                "confirmation": self.confirmation.to_json(),
                "confirmations": [message.to_json() for message in self.confirmations],
                "aside": int(self.aside),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> CeremonyRecord:
        """Parse strictly and check, or raise a `CustodyError`."""
        fields = Fields(text, _FIELDS, "the record of a key generation", _MAX_RECORD_BYTES)
        record = cls(
            Ceremony.from_json(fields.text("ceremony", _MAX_TEXT)),
            SignedMessage.from_json(fields.text("confirmation", _MAX_TEXT)),
            tuple(
                SignedMessage.from_json(message)
                for message in fields.texts("confirmations", MAX_CUSTODIANS, _MAX_TEXT)
            ),
            bool(fields.number("aside", 0, 1)),
        )
        record.confirmation.verify(record.ceremony)
        if record.confirmations:
            check_confirmed(record.ceremony, record.confirmation, record.confirmations)
        return record


class CeremonyRecords:
    """The records in `folder`, and the key share in `share_file`; blocking.

    Raises:
        CeremonyRecordDamaged: from every method, when a file cannot be read or written.
    """

    def __init__(self, folder: Path, share_file: Path, passphrase: bytes) -> None:
        self._folder = folder
        self._share_file = share_file
        self._passphrase = passphrase
        # Opening a file costs half a second: what this process saved it need not open again.
        self._saved: dict[str, KeyShare] = {}

    def holds_share(self) -> bool:
        """Tell whether the node has a key share that is of use."""
        return self._share_file.exists()

    def last_order(self) -> int:
        """Give the number of the newest order obeyed, 0 before the first."""
        file = self._folder / "order"
        try:
            return int(file.read_text("ascii")) if file.exists() else 0
        except (OSError, ValueError) as error:
            raise CeremonyRecordDamaged(f"{file} cannot be read: {error}") from error

    def note_order(self, number: int) -> None:
        """Write the number of an order down before it is obeyed."""
        self._write("order", str(number))

    def all(self) -> list[CeremonyRecord]:
        """Give the records of every key generation that was confirmed here."""
        try:
            files = sorted(self._folder.glob("*.json")) if self._folder.exists() else []
            return [CeremonyRecord.from_json(file.read_bytes()) for file in files]
        except (OSError, CustodyError) as error:
            raise CeremonyRecordDamaged(
                f"A record in {self._folder} cannot be read: {error}."
            ) from error

    def keep(self, record: CeremonyRecord, share: KeyShare) -> None:
        """Save a share that is not yet of use, then its record."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        save_key_share(self._share_of(record), share, self._passphrase)
        self.note(record)
        self._saved[record.name] = share

    def note(self, record: CeremonyRecord) -> None:
        """Write a record, or write it again."""
        self._write(f"{record.name}.json", record.to_json())

    def finish(self, record: CeremonyRecord, messages: Sequence[SignedMessage]) -> KeyShare:
        """Take all members' confirmations, and make the share the node's key share.

        Raises:
            KeyShareExists: the node has one already, of another key generation.
            ForgedMessage, NotConfirmed, Equivocation: see `check_confirmed`.
        """
        check_confirmed(record.ceremony, record.confirmation, messages)
        self.note(replace(record, confirmations=tuple(messages), aside=False))
        return self._take_up(record)

    def recover(self) -> None:
        """Finish what a kill interrupted after all confirmations were written down."""
        for record in self.all():
            if record.confirmations and not self.holds_share():
                self._take_up(record)

    def _take_up(self, record: CeremonyRecord) -> KeyShare:
        kept = self._share_of(record)
        if self.holds_share() and kept.exists():
            raise KeyShareExists("This node already holds another key share.")
        saved = self._saved.get(record.name)
        if self.holds_share():
            return saved or load_key_share(self._share_file, self._passphrase)
        share = saved or load_key_share(kept, self._passphrase)
        try:
            kept.rename(self._share_file)
            sync_directory(self._share_file.parent)
        except OSError as error:
            raise CeremonyRecordDamaged(f"{self._share_file}: {error}") from error
        return share

    def _share_of(self, record: CeremonyRecord) -> Path:
        return self._folder / f"{record.name}.share"

    def _write(self, name: str, text: str) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._folder / name, text.encode("ascii"))
        except OSError as error:
            raise CeremonyRecordDamaged(f"{self._folder / name}: {error}") from error
