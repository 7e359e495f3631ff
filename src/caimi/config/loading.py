"""Loading the configuration: the file, or a profile, checked as a whole."""

from __future__ import annotations

from pathlib import Path

from caimi.config.configuration import Config
from caimi.config.files import checked
from caimi.config.sections.assets import COIN
from caimi.config.sections.ledgers import LedgerSection, PlaceSection
from caimi.config.sources import config_source
from caimi.errors.operations import ConfigInvalid, UnknownLedger


def load_config(path: str | Path | None = None, profile: str | None = None) -> Config:
    """Read and check the configuration, or a profile: see `caimi.profiles`.

    Raises:
        ConfigMissing: there is no such file.
        ConfigInvalid: it is too large, not TOML, or says something it may not.
        UnknownProfile, InvalidName: there is no such profile.
    """
    source = config_source(path, profile)
    config = checked(source.file, source.said, Config)
    _check_ledgers(source.file, config)
    _check_assets(source.file, config)
    return config


def _check_ledgers(file: Path, config: Config) -> None:
    """Refuse two ledgers of one id or name."""
    listed: list[LedgerSection | PlaceSection] = [*config.ledgers, *config.places]
    for what, names in (
        ("id", [section.id for section in listed]),
        ("name", [section.name for section in listed]),
    ):
        if len(set(names)) != len(names):
            raise ConfigInvalid(f"{file}: two ledgers have the same {what}.")


def _check_assets(file: Path, config: Config) -> None:
    """Refuse assets of no ledger, two of one name on a ledger, and a second name for the coin."""
    symbols, addresses = set(), set()
    for asset in config.assets:
        try:
            ledger = config.ledger(asset.ledger).id
        except UnknownLedger as error:
            raise ConfigInvalid(f"{file}: assets: {asset.symbol}: {error.what}") from error
        symbol = (ledger, asset.symbol.lower())
        address = (ledger, asset.address.lower())
        if symbol[1] == COIN:
            raise ConfigInvalid(f"{file}: assets: {COIN!r} is what a ledger's own coin is called.")
        if symbol in symbols or address in addresses:
            raise ConfigInvalid(
                f"{file}: assets: {ledger} has two of the symbol {asset.symbol}, or of its address."
            )
        symbols.add(symbol)
        addresses.add(address)
