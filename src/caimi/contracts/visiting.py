"""What is known of a model away from its home: what travels with it, as payloads have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from caimi.contracts.identifiers import (
    Account,
    InteroperableAccount,
    InteroperableLedger,
    ModelId,
)
from caimi.contracts.naming import Path, model_id

DIGEST_LENGTH: Final = 24
"""How long the digest over a model's licences is."""
VISITING_TYPE: Final = "(bytes,bytes,string,bytes[],(uint64,uint64,string,bytes32,uint64,bytes24))"


@dataclass(frozen=True, slots=True)
class ModelStatement:
    """What a model's home said of it when it left (`time`, seconds): no more than that, no newer.

    `version` is the one published last, `manifest` its digest. `licence_count` are those granted
    and not revoked, `licence_digest` is over all grants and revocations, in order.
    """

    time: int
    version_count: int
    version: str
    manifest: bytes
    licence_count: int
    licence_digest: bytes


@dataclass(frozen=True, slots=True)
class VisitingModel:
    """A model of another ledger, and how it came. Its home and its path vouch for it, nobody else.

    `home` is the home registry, `publisher` an account as the home ledger writes it.
    """

    home: InteroperableAccount
    publisher: Account
    name: str
    path: Path
    stated: ModelStatement

    @property
    def model(self) -> ModelId:
        """The model's own id."""
        return model_id(self.home, self.publisher, self.name)

    def to_abi(self) -> tuple[object, ...]:
        """Give the value of `VISITING_TYPE`."""
        stated = self.stated
        return (
            self.home,
            self.publisher,
            self.name,
            self.path,
            (
                stated.time,
                stated.version_count,
                stated.version,
                stated.manifest,
                stated.licence_count,
                stated.licence_digest,
            ),
        )

    @classmethod
    def from_abi(cls, value: Any) -> VisitingModel:  # noqa: ANN401 - as eth-abi gives it
        """Read a value of `VISITING_TYPE`."""
        home, publisher, name, path, stated = value
        return cls(
            InteroperableAccount(home),
            Account(publisher),
            name,
            tuple(InteroperableLedger(hop) for hop in path),
            ModelStatement(*stated),
        )
