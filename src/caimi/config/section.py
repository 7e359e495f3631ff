"""One table of a TOML file, read strictly, and a whole file of them."""

from __future__ import annotations

from pathlib import Path

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from caimi.errors.operations import ConfigInvalid

CONFIG_NAME = "caimi.toml"


class Section(BaseModel):
    """One table of a TOML file: unknown fields and wrong types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TopSection(Section):
    """A whole `file`; `home` is the directory it lies in."""

    home: Path = Field(default=Path(), exclude=True)
    file: Path = Field(default=Path(CONFIG_NAME), exclude=True)

    def path(self, text: str) -> Path:
        """Resolve a path of the file against the file's directory.

        Raises:
            ConfigInvalid: it begins with a home directory that nobody knows.
        """
        try:
            return self.home / Path(text).expanduser()
        except RuntimeError as error:
            raise ConfigInvalid(
                f"{text!r:.80} names a home directory, and none is known.",
                why="HOME is not set, or there is no such user.",
                next_step="Write the whole path in caimi.toml, or set HOME.",
            ) from error

    def dump(self) -> str:
        """Give the TOML text."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def what_is_wrong(error: ValidationError) -> str:
    """Say what is wrong, and where; what was written there may be a secret."""
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, item["loc"])), item["msg"])))
        for item in error.errors()[:5]
    )
