"""What people read about a model: the card (Mitchell et al. 2019), data provenance, metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from caimi.errors.models import ManifestMalformed
from caimi.models.licence import MAX_LICENCE_CHARACTERS, check_licence
from caimi.models.strict_json import Json, JsonFields, check_text

MAX_CARD_TEXT: Final = 16_384
MAX_METRICS: Final = 256
_MAX_NAME: Final = 256
_MAX_URI: Final = 2048


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The sections of a model card, each at most 16,384 characters; empty ones are left out.

    Follows Mitchell et al., "Model Cards for Model Reporting" (2019), section 4.
    Construction raises `ManifestMalformed`.
    """

    description: str = ""
    intended_use: str = ""
    out_of_scope_use: str = ""
    limitations: str = ""
    training: str = ""
    evaluation: str = ""
    ethical_considerations: str = ""
    contact: str = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            check_text(f"card.{field.name}", getattr(self, field.name), MAX_CARD_TEXT, least=0)

    def to_json(self) -> dict[str, Json]:
        """Give the manifest's form."""
        texts = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: text for name, text in texts.items() if text}

    @classmethod
    def read(cls, sections: Mapping[str, Json]) -> ModelCard:
        """Read a mapping of section names to texts; raises `ManifestMalformed`."""
        known = {field.name for field in fields(cls)}
        texts: dict[str, str] = {}
        for name, text in sections.items():
            if name not in known:
                raise ManifestMalformed(f"Card has an unknown section {name[:80]!r}.")
            if not isinstance(text, str) or not text:
                raise ManifestMalformed(f"Card.{name} is not a text.")
            texts[name] = text
        return cls(**texts)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set that the model was made from, by its SHA-256. Raises `ManifestMalformed`."""

    name: str
    sha256: bytes
    uri: str | None = None
    licence: str | None = None

    def __post_init__(self) -> None:
        check_text("A data set's name", self.name, _MAX_NAME)
        if len(self.sha256) != 32:
            raise ManifestMalformed(f"The data set {self.name!r} has no SHA-256 of 32 bytes.")
        if self.uri is not None:
            check_text(f"The URI of {self.name!r}", self.uri, _MAX_URI)
        if self.licence is not None:
            check_licence(self.licence)

    def to_json(self) -> dict[str, Json]:
        """Give the manifest's form."""
        result: dict[str, Json] = {"name": self.name, "sha256": self.sha256.hex()}
        if self.uri is not None:
            result["uri"] = self.uri
        if self.licence is not None:
            result["licence"] = self.licence
        return result

    @classmethod
    def read(cls, fields: JsonFields) -> Dataset:
        """Read the manifest's form; raises `ManifestMalformed`."""
        return cls(
            name=fields.text("name", _MAX_NAME),
            sha256=fields.hexadecimal("sha256", 32),
            uri=fields.text("uri", _MAX_URI) if fields.has("uri") else None,
            licence=(
                fields.text("licence", MAX_LICENCE_CHARACTERS) if fields.has("licence") else None
            ),
        )


def read_metrics(values: Mapping[str, Json]) -> dict[str, float]:
    """Give metrics as finite floats by name.

    Raises:
        ManifestMalformed: too many, a bad name, or a value that is no finite number.
    """
    if len(values) > MAX_METRICS:
        raise ManifestMalformed(f"{len(values)} metrics; at most {MAX_METRICS} are allowed.")
    metrics = {}
    for name, value in values.items():
        check_text("A metric's name", name, _MAX_NAME)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ManifestMalformed(f"The metric {name!r} is not a number.")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise ManifestMalformed(f"The metric {name!r} is not finite.")
        metrics[name] = number
    return metrics
