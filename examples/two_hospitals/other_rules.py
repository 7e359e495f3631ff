"""A hospital's chaincode with a rule of its own: it answers otherwise than its sister's."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from caimi.ledgers.fabric.chaincode.contract import Chaincode
from caimi.ledgers.fabric.chaincode.process import main
from caimi.ledgers.fabric.chaincode.stub import ChaincodeStub
from caimi.ledgers.fabric.terms import FoundingTerms


@dataclass(frozen=True)
class OtherRules:
    """Does what was agreed, and keeps an account of it that was not (port `ChaincodeContract`)."""

    agreed: Chaincode

    def invoke(self, stub: ChaincodeStub) -> bytes:
        """Try a transaction."""
        answer = self.agreed.invoke(stub)
        if stub.arguments[0] == b"acts":
            stub.put("seen-by-south", b"\x01")
        return answer


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", type=Path, required=True)
    told, rest = parser.parse_known_args()
    terms = FoundingTerms.read_file(told.terms)
    agreed = Chaincode(terms.ledger, terms, lambda: int(time.time()))
    sys.exit(main(OtherRules(agreed), rest))
