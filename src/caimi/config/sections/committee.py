"""`[committee]`: the custodians, and their common key."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from caimi.config.section import Section
from caimi.config.sections.tls import check_trust
from caimi.config.values import HexAddress, HexBytes, HttpUrl, PathText


class CustodianSection(Section):
    """One member of the committee; `trust` is a PEM file of whom alone its https URL may be."""

    index: Annotated[int, Field(ge=1, le=256)]
    url: HttpUrl
    account: HexAddress
    trust: PathText | None = None

    @model_validator(mode="after")
    def _trust_of_https_alone(self) -> Self:
        check_trust(self.url, self.trust)
        return self


class CommitteeSection(Section):
    """The custodians' common key, and who they are."""

    group_key: HexBytes
    custodians: Annotated[list[CustodianSection], Field(min_length=1, max_length=256, strict=False)]
