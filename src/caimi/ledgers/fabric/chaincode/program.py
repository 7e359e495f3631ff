"""CAIMI's chaincode as a program, which an organisation runs beside its peer until it is ended."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from caimi.errors.fabric import FabricTermsInvalid
from caimi.ledgers.fabric.chaincode.contract import Chaincode
from caimi.ledgers.fabric.chaincode.process import ChaincodePlace, main, serve
from caimi.ledgers.fabric.terms import FoundingTerms
from caimi.ledgers.port import LedgerId
from caimi.logs import logger

_log = logger(__name__)


def run(arguments: Sequence[str]) -> int:
    """Serve the chaincode: options of its own, and those of `ChaincodePlace`."""
    parser = argparse.ArgumentParser(description=__doc__)
    agreed = parser.add_mutually_exclusive_group(required=True)
    agreed.add_argument("--terms", type=Path, help="what this organisation agreed to, in TOML")
    agreed.add_argument("--any-founder", metavar="LEDGER", help="for trying out: whoever founds it")
    parser.add_argument("--clock-ahead", type=Path, help="for tests: a file with seconds to add")
    told, rest = parser.parse_known_args(arguments)
    clock = _clock(told.clock_ahead)
    if told.terms is None:
        return main(Chaincode(LedgerId(told.any_founder), None, clock), rest)
    try:
        terms = FoundingTerms.read_file(told.terms)
    except FabricTermsInvalid as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return main(Chaincode(terms.ledger, terms, clock), rest)


async def serve_agreed(terms: Path, place: ChaincodePlace) -> None:
    """Serve the chaincode of an organisation that agreed to a file of terms, until it is ended.

    Raises:
        FabricTermsInvalid: the file is none.
        FabricNodeFailed: nothing can listen there.
        OSError: as the system says of the certificates' files.
    """
    agreed = FoundingTerms.read_file(terms)
    _log.info("Terms of %s, fingerprint %s.", agreed.ledger, agreed.fingerprint)
    await serve(Chaincode(agreed.ledger, agreed, _clock(None)), place)


def _clock(ahead: Path | None) -> Callable[[], int]:
    if ahead is None:
        return lambda: int(time.time())
    return lambda: int(time.time()) + int(ahead.read_text())


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
