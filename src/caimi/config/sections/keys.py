"""`[keys]`: the keystores."""

from __future__ import annotations

from pydantic import Field

from caimi.config.section import Section
from caimi.config.sections.remote_keys import RemoteKeySection
from caimi.config.values import ContractAccount, Name, PathText


class KeysSection(Section):
    """Where keystores are, and which key signs when none is named.

    `contract` is a contract account (CAIP-10) that holds licences and takes the keys' signatures.
    """

    directory: PathText = "keys"
    default: Name | None = None
    passphrase_file: PathText | None = None
    contract: ContractAccount | None = None
    remote: dict[Name, RemoteKeySection] = Field(default_factory=dict, max_length=100)
