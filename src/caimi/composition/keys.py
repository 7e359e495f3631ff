"""Keys and accounts that people have on ledgers, whatever families those are of."""

from __future__ import annotations

from collections.abc import Iterable

from caimi.composition.ledgers import family_of
from caimi.config import LedgerSection, PlaceSection
from caimi.ledgers.port import AccountCodec, KeyFiles, LedgerId


def kinds_of_keys(
    sections: Iterable[LedgerSection | PlaceSection],
) -> dict[LedgerId, KeyFiles]:
    """Give the files of keys of each ledger.

    Raises:
        UnknownFamily, FamilyUnusable: as `family_of` says.
    """
    return {LedgerId(section.id): family_of(section).keys for section in sections}


def codecs_of(
    sections: Iterable[LedgerSection | PlaceSection],
) -> dict[LedgerId, AccountCodec]:
    """Tell how each ledger writes its accounts; raises as `kinds_of_keys`."""
    return {LedgerId(section.id): family_of(section).accounts(section) for section in sections}
