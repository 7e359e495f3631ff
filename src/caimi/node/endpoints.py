"""The several endpoints of one configured ledger, by names that are safe to tell anyone."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

from caimi.config import LedgerSection
from caimi.errors.ledgers import LedgerUnavailable
from caimi.ledgers.evm.connect import open_ledger, prepare_ledger
from caimi.ledgers.evm.ledger import EvmLedger

_log = logging.getLogger(__name__)


async def open_endpoints(stack: AsyncExitStack, section: LedgerSection) -> dict[str, EvmLedger]:
    """Connect to every endpoint of a ledger; `stack` closes them.

    The first must answer. Of the others one that is down is taken as it comes: it counts towards no
    quorum until it answers. Their names are numbers and hosts: a URL's path often holds a key.

    Raises:
        LedgerUnavailable: the first does not answer.
        WrongLedger, ContractMissing: any serves something else.
    """
    views: dict[str, EvmLedger] = {}
    for number, url in enumerate((section.rpc, *section.endpoints), start=1):
        one = section.model_copy(update={"rpc": url, "endpoints": [], "quorum": None})
        if number == 1:
            ledger = await open_ledger(one)
            stack.push_async_callback(ledger.aclose)
        else:
            ledger = prepare_ledger(one)
            stack.push_async_callback(ledger.aclose)
            try:
                await ledger.check()
            except LedgerUnavailable as error:
                _log.warning("%s", error)
        views[f"endpoint {number} ({urlsplit(url).netloc})"] = ledger
    return views
