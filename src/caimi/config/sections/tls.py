"""`[tls]`: whom this program believes, and how others know it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from caimi.config.section import Section
from caimi.config.values import PathText

TrustedFiles = Annotated[list[PathText], Field(max_length=100, strict=False)]
"""PEM files of authorities, or of single certificates, that are believed."""


class TlsSection(Section):
    """Whom this program believes behind https URLs, and what it shows to who asks.

    Without `trust` the public authorities are believed. A worker serves TLS with its certificate.
    """

    certificate: PathText | None = None
    key: PathText | None = None
    trust: TrustedFiles = Field(default_factory=list)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")
        return self


def check_trust(url: str, trust: str | None) -> None:
    """Refuse a `trust` beside a URL where it would count for nothing."""
    if trust is not None and not url.startswith("https:"):
        raise ValueError(
            "trust says whom alone an https URL may be, and this url is plain http: "
            "write https:// there, or leave trust out"
        )
