"""`[[ledgers]]`: the ledgers, and those that CAIMI is not on yet."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from caimi.config.section import Section, what_is_wrong
from caimi.config.values import LedgerText, Name
from caimi.errors.base import CaimiError
from caimi.families import find_family


class LedgerSection(Section):
    """One ledger: what it is called, its family, and what that family is told of it.

    `family` is needed where the namespace of the id has another, or none. Everything beside these
    three is the family's, which checks it: see `settings`.
    """

    model_config = ConfigDict(extra="allow")

    id: LedgerText
    name: Name
    family: Name | None = None
    _settings: BaseModel = PrivateAttr()

    @model_validator(mode="after")
    def _the_family_takes_the_rest(self) -> Self:
        family = find_family(self.id, self.family)
        try:
            self._settings = family.settings.model_validate(self.model_extra or {})
        except ValidationError as error:
            raise PydanticCustomError(
                "of_the_family", "{said}", {"said": what_is_wrong(error)}
            ) from error
        return self

    @property
    def settings(self) -> BaseModel:
        """What the family is told, as its own type."""
        return self._settings


class PlaceSection(Section):
    """One ledger before CAIMI is on it: what its section will say but for where CAIMI is.

    `caimi deploy` adds the rest.
    """

    model_config = ConfigDict(extra="allow")

    id: LedgerText
    name: Name
    family: Name | None = None

    @model_validator(mode="after")
    def _the_family_takes_the_rest(self) -> Self:
        places = find_family(self.id, self.family).places
        if places is None:
            raise PydanticCustomError("of_the_family", "nothing is deployed there from here")
        try:
            places.model_validate(self.told)
        except ValidationError as error:
            raise PydanticCustomError(
                "of_the_family", "{said}", {"said": what_is_wrong(error)}
            ) from error
        return self

    @property
    def told(self) -> dict[str, object]:
        """What the family is told."""
        return dict(self.model_extra or {})


def is_place(section: object) -> bool:
    """Tell whether a ledger's table says nothing yet of where CAIMI is."""
    if not isinstance(section, dict) or not isinstance(section.get("id"), str):
        return False
    named = section.get("family")
    try:
        family = find_family(section["id"], named if isinstance(named, str) else None)
    except CaimiError:
        return False  # which is said where the section is read
    places = getattr(family, "places", None)
    if places is None:
        return False
    added = family.settings.model_fields.keys() - places.model_fields.keys()
    return bool(added) and not added & section.keys()
