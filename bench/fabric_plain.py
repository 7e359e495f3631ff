"""A chaincode that counts a caller's key up and does nothing else: what CAIMI's is held against."""

import sys

from caimi.ledgers.fabric.chaincode.process import main
from caimi.ledgers.fabric.chaincode.stub import ChaincodeStub


class CountingContract:
    """One key read and written in a transaction (port `ChaincodeContract`)."""

    def invoke(self, stub: ChaincodeStub) -> bytes:
        key = stub.arguments[1].decode()
        count = b"%d" % (int(stub.get(key) or b"0") + 1)
        stub.put(key, count)
        return count


if __name__ == "__main__":
    sys.exit(main(CountingContract()))
