"""What a section of the configuration says of an EVM ledger: all, and before it is deployed on."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from caimi.config import HexAddress, HttpUrl, Name, Section

FinalityText = Annotated[str, StringConstraints(pattern=r"^(finalized|depth:[0-9]{1,6})$")]


class EvmPlace(Section):
    """Where a ledger answers, and what it trusts as final.

    `endpoints` are further nodes of the same ledger, best of other operators: a validator signs
    only what none of them contradicts and `quorum` of them all show (by default every one).
    """

    rpc: HttpUrl
    endpoints: Annotated[list[HttpUrl], Field(default_factory=list, max_length=16, strict=False)]
    quorum: Annotated[int, Field(ge=2, le=17)] | None = None
    finality: FinalityText = "finalized"

    @model_validator(mode="after")
    def _endpoints_are_different_and_enough(self) -> Self:
        urls = [self.rpc, *self.endpoints]
        if len(set(urls)) != len(urls):
            raise ValueError("an endpoint is listed twice")
        if self.quorum is not None and self.quorum > len(urls):
            raise ValueError(f"a quorum of {self.quorum} of {len(urls)} endpoints is impossible")
        return self


class EvmSettings(EvmPlace):
    """The same, and where our contracts are: none is older than block `deployed_at`."""

    deployed_at: Annotated[int, Field(ge=0)]
    contracts: dict[Name, HexAddress]
