"""The tokens that a configuration names, as assets of their ledgers."""

from __future__ import annotations

from caimi.composition.ledgers import family_of
from caimi.config import Config
from caimi.errors.ids import InvalidAccountId
from caimi.errors.operations import ConfigInvalid
from caimi.ledgers.port import Asset, LedgerId


def assets_of(config: Config) -> list[Asset]:
    """Give the tokens of a configuration; nothing is asked of their ledgers yet.

    Raises:
        UnknownFamily, FamilyUnusable: as `family_of` says.
        ConfigInvalid: a ledger cannot have a token of such an address.
    """
    found = []
    for each in config.assets:
        section = config.ledger(each.ledger)
        try:
            native = family_of(section).accounts(section).parse(each.address).native
        except InvalidAccountId as error:
            raise ConfigInvalid(f"The address of the asset {each.symbol}: {error.what}") from error
        found.append(Asset(LedgerId(section.id), native, each.symbol, each.decimals))
    return found
