"""What a node's operator tells the others: a small public file that they compare by fingerprint."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from coincurve import PublicKey

from caimi.custody.encoding import Fields
from caimi.errors.certificates import CertificateInvalid
from caimi.errors.custody import MalformedEncoding
from caimi.errors.node import DescriptionInvalid
from caimi.names import is_name
from caimi.signatures import account_of
from caimi.tls.certificates import is_authority, named, parse_certificates

FORMAT: Final = "caimi-node-description/1"
MAX_BYTES: Final = 1 << 15
_NAMES: Final = frozenset({"format", "name", "organisation", "url", "public_key", "authority"})
_KEY_BYTES: Final = 33
_URL: Final = re.compile(r"https://[^\s/@?#]{1,260}:[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class NodeDescription:
    """A node: where it is reached, the key that it attests with, and who certifies it.

    `authority` is the certificate, in PEM, of its organisation's authority. Nothing is secret.
    """

    name: str
    organisation: str
    url: str
    public_key: bytes
    authority: str

    @property
    def account(self) -> bytes:
        """The account of its key: 20 bytes."""
        return account_of(PublicKey(self.public_key))

    @property
    def said(self) -> str:
        """How people call it."""
        return f"{self.name} of {self.organisation}"

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the file, for people to compare."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Write the one JSON form."""
        document = {
            "format": FORMAT,
            "name": self.name,
            "organisation": self.organisation,
            "url": self.url,
            "public_key": f"0x{self.public_key.hex()}",
            "authority": self.authority,
        }
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> NodeDescription:
        """Parse strictly.

        Raises:
            DescriptionInvalid: it is anything else, or its parts do not belong together.
        """
        try:
            fields = Fields(text, _NAMES, "the description of a node", MAX_BYTES)
            fields.expect("format", FORMAT)
            found = cls(
                fields.text("name", 64),
                fields.text("organisation", 64),
                fields.text("url", 300),
                fields.data("public_key", _KEY_BYTES, _KEY_BYTES),
                fields.text("authority", MAX_BYTES),
            )
            PublicKey(found.public_key)
            (authority,) = parse_certificates(found.authority.encode(), "its authority")
        except (MalformedEncoding, CertificateInvalid) as error:
            raise DescriptionInvalid(error.what) from error
        except ValueError as error:
            raise DescriptionInvalid(f"It is no description of a node: {error}.") from error
        if not is_name(found.name):
            raise DescriptionInvalid(f"{found.name!r} is no name for a node.")
        check_url(found.url)
        if not is_authority(authority) or named(authority).organisation != found.organisation:
            raise DescriptionInvalid(
                f"The certificate in it is of no authority of {found.organisation!r}."
            )
        return found


def check_url(url: str) -> tuple[str, int]:
    """Give the host and the port of a node's URL.

    Raises:
        DescriptionInvalid: it is not ``https://HOST:PORT``.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 0
    except ValueError:
        host, port = "", 0
    if not host or not port or _URL.fullmatch(url) is None:
        raise DescriptionInvalid(f"{url[:100]!r} is not https://HOST:PORT.")
    return host, port


def read_description(file: Path) -> NodeDescription:
    """Read a description from a file; raises as `NodeDescription.from_json`."""
    try:
        with file.open("rb") as opened:
            return NodeDescription.from_json(opened.read(MAX_BYTES + 1))
    except OSError as error:
        raise DescriptionInvalid(f"{file} cannot be read: {error.strerror}.") from error
    except DescriptionInvalid as error:
        raise DescriptionInvalid(f"{file}: {error.what}") from error


def in_order(members: Sequence[NodeDescription]) -> list[NodeDescription]:
    """Give the members of a committee in the one order that all of them come to: by account.

    Raises:
        DescriptionInvalid: two are the same, or one organisation shows two authorities.
    """
    for what, values in (
        ("account", [each.account.hex() for each in members]),
        ("URL", [each.url for each in members]),
        ("name", [each.said for each in members]),
    ):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise DescriptionInvalid(f"Two members have one {what}: {twice}.")
    authorities: dict[str, str] = {}
    for each in members:
        if authorities.setdefault(each.organisation, each.authority) != each.authority:
            raise DescriptionInvalid(f"{each.organisation!r} shows two authorities.")
    return sorted(members, key=lambda each: each.account)


def committee_fingerprint(members: Sequence[NodeDescription], threshold: int) -> str:
    """Give one value for all operators to compare: who is in a committee, and how many suffice."""
    listed = [each.fingerprint for each in in_order(members)]
    return hashlib.sha256(json.dumps([threshold, listed]).encode()).hexdigest()
