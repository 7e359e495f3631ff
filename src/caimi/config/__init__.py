"""The configuration: one `caimi.toml` for every command, read strictly.

Relative paths are relative to the file. No secret is ever in it: keys are V3 keystores in a
directory, and the passphrase comes from the environment, a file of mode 0600, or a prompt.

A table of the file is a module of `sections`; `configuration` is the whole.
"""

from caimi.config.configuration import Config
from caimi.config.example import EXAMPLE
from caimi.config.files import MAX_CONFIG_BYTES, find_config, read_toml
from caimi.config.loading import load_config
from caimi.config.section import CONFIG_NAME, Section, TopSection
from caimi.config.sections.assets import COIN, AssetSection
from caimi.config.sections.committee import CommitteeSection, CustodianSection
from caimi.config.sections.keys import KeysSection
from caimi.config.sections.ledgers import LedgerSection, PlaceSection
from caimi.config.sections.logging import LoggingSection
from caimi.config.sections.relaying import (
    DeliverySection,
    RelayerRouteSection,
    RelayerSection,
    TurnsSection,
)
from caimi.config.sections.stores import DatabaseSection, StoreSection
from caimi.config.sections.tls import TlsSection, TrustedFiles
from caimi.config.sections.workers import ServingSection, WorkerSection
from caimi.config.sources import ConfigSource, config_source, profile_names
from caimi.config.values import HexAddress, HttpUrl, Name, PathText

__all__ = [
    "Config",
    "EXAMPLE",
    "MAX_CONFIG_BYTES",
    "find_config",
    "read_toml",
    "load_config",
    "CONFIG_NAME",
    "Section",
    "TopSection",
    "COIN",
    "AssetSection",
    "CommitteeSection",
    "CustodianSection",
    "KeysSection",
    "LedgerSection",
    "PlaceSection",
    "LoggingSection",
    "DeliverySection",
    "RelayerRouteSection",
    "RelayerSection",
    "TurnsSection",
    "DatabaseSection",
    "StoreSection",
    "TlsSection",
    "TrustedFiles",
    "ServingSection",
    "WorkerSection",
    "ConfigSource",
    "config_source",
    "profile_names",
    "HexAddress",
    "HttpUrl",
    "Name",
    "PathText",
]
