"""What a version was made from, and by whom: as the manifest has it, in each of its schemas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from caimi.chains import AccountId
from caimi.errors.models import ManifestMalformed
from caimi.models.strict_json import Json, JsonFields

FIRST_SCHEMA: Final = "caimi/manifest/v1"
SCHEMA: Final = "caimi/manifest/v2"
MAX_PARENTS: Final = 16
MAX_CONTRIBUTORS: Final = 64
_MAX_ACCOUNT: Final = 256
_ROLE: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class Contributor:
    """Somebody who had a part in a version: a CAIP-10 account, and what it did in a word.

    Construction raises `ManifestMalformed`, or `InvalidAccountId` and `InvalidLedgerId`.
    """

    account: str
    role: str

    def __post_init__(self) -> None:
        if _ROLE.fullmatch(self.role) is None:
            raise ManifestMalformed(
                f"{self.role[:60]!r} is no role: small letters, digits and dashes, at most 32."
            )
        written = str(AccountId.parse(self.account))
        if written != self.account:
            raise ManifestMalformed(f"{self.account!r} is not written as {written}.")

    def to_json(self) -> dict[str, Json]:
        """Give the manifest's form."""
        return {"account": self.account, "role": self.role}

    @classmethod
    def read(cls, fields: JsonFields) -> Contributor:
        """Read the manifest's form; raises as construction does."""
        return cls(account=fields.text("account", _MAX_ACCOUNT), role=fields.text("role", 32))


@dataclass(frozen=True, slots=True)
class Ancestry:
    """The digests of the versions that one was made from (32 bytes each), and its contributors.

    Both in the publisher's order, and nothing twice. Construction raises `ManifestMalformed`.
    """

    parents: Sequence[bytes] = ()
    contributors: Sequence[Contributor] = ()

    def __post_init__(self) -> None:
        for name, items, most in (
            ("parents", self.parents, MAX_PARENTS),
            ("contributors", self.contributors, MAX_CONTRIBUTORS),
        ):
            if len(items) > most:
                raise ManifestMalformed(f"{len(items)} {name}; at most {most} are allowed.")
            if len(set(items)) != len(items):
                raise ManifestMalformed(f"One of the {name} is there twice.")
        if any(len(parent) != 32 for parent in self.parents):
            raise ManifestMalformed("A parent's digest has 32 bytes.")

    def to_json(self, schema: str) -> dict[str, Json]:
        """Give the manifest's fields in a schema; the first has at most one parent.

        Raises:
            ManifestMalformed: the schema has no room for it, or is none.
        """
        digests = [parent.hex() for parent in self.parents]
        if schema == SCHEMA:
            contributors = [each.to_json() for each in self.contributors]
            return {"parents": digests, "contributors": contributors}
        if schema != FIRST_SCHEMA or len(digests) > 1 or self.contributors:
            raise ManifestMalformed(f"{schema[:60]!r} has no room for its ancestry.")
        return {"parent": digests[0] if digests else None}

    @classmethod
    def read(cls, fields: JsonFields, schema: str) -> Ancestry:
        """Read the fields of a schema; raises as construction does."""
        if schema == FIRST_SCHEMA:
            if fields.raw("parent") is None:
                return cls()
            return cls((fields.hexadecimal("parent", 32),))
        return cls(
            fields.digests("parents", MAX_PARENTS),
            fields.objects("contributors", MAX_CONTRIBUTORS, Contributor.read),
        )


def read_schema(fields: JsonFields) -> str:
    """Give the schema of a manifest; raises `ManifestMalformed` when it is none that is known."""
    schema = fields.text("schema", 64)
    if schema not in (SCHEMA, FIRST_SCHEMA):
        fields.refuse("schema", f"is neither {SCHEMA!r} nor {FIRST_SCHEMA!r}")
    return schema
