"""CAIMI's chaincode as one organisation may run it that is broken, or lies: a file says how."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from caimi.ledgers.fabric.chaincode.contract import Chaincode
from caimi.ledgers.fabric.chaincode.process import main
from caimi.ledgers.fabric.chaincode.stub import ChaincodeStub
from caimi.ledgers.fabric.keys import kept, state_name
from caimi.ledgers.fabric.terms import FoundingTerms
from caimi.ledgers.machine.values import encode_value


class BentChaincode:
    """Does what the honest one does, and then something else."""

    def __init__(self, honest: Chaincode, how: Path) -> None:
        self._honest, self._how = honest, how

    def invoke(self, stub: ChaincodeStub) -> bytes:
        answer = self._honest.invoke(stub)
        if stub.arguments[0] != b"acts":
            return answer
        match self._how.read_text():
            case "ends":
                os._exit(7)
            case "answers otherwise":
                return encode_value((("done", ""),) * 2)
            case "writes more":
                stub.put(state_name(b"mine"), kept(b"all"))
            case "calls it known":
                return encode_value((("known", ""),))
        return answer


if __name__ == "__main__":
    agreed, ahead, how, *rest = sys.argv[1:]
    terms = FoundingTerms.read_file(Path(agreed))
    honest = Chaincode(terms.ledger, terms, lambda: int(time.time()) + int(Path(ahead).read_text()))
    sys.exit(main(BentChaincode(honest, Path(how)), rest))
