"""A chaincode for tests: keys, ranges, events, refusals; run as a program."""

import sys

from caimi.errors.fabric import ChaincodeRefusal
from caimi.ledgers.fabric.chaincode.process import main
from caimi.ledgers.fabric.chaincode.stub import ChaincodeStub


class TrialContract:
    def invoke(self, stub: ChaincodeStub) -> bytes:
        name, *arguments = (each.decode() for each in stub.arguments)
        return getattr(self, f"do_{name}")(stub, *arguments)

    def do_put(self, stub, key, value):
        stub.put(key, value.encode())
        return b"put"

    def do_get(self, stub, key):
        value = stub.get(key)
        return b"absent" if value is None else b"=" + value

    def do_delete(self, stub, key):
        stub.delete(key)
        return b""

    def do_count(self, stub, key):
        count = int(stub.get(key) or b"0") + 1
        stub.put(key, b"%d" % count)
        return stub.get(key) or b""

    def do_range(self, stub, start, end, limit):
        return b",".join(
            key.encode() + b"=" + value for key, value in stub.range(start, end, int(limit))
        )

    def do_overlay(self, stub, key):
        """Write, delete and read in one transaction."""
        stub.put(key + "b", b"2")
        stub.put(key + "a", b"1")
        stub.delete(key + "b")
        return b",".join(k.encode() for k, _ in stub.range(key, key + "z", 10))

    def do_event(self, stub, name, payload):
        stub.put(f"event/{name}", payload.encode())
        stub.raise_event(name, payload.encode())
        return b""

    def do_fill(self, stub, key, size):
        stub.put(key, b"\x07" * int(size))
        return b""

    def do_refuse(self, stub, why):
        stub.put("refused", b"never")
        raise ChaincodeRefusal(why)

    def do_fail(self, stub):
        raise RuntimeError("secret of the process")

    def do_who(self, stub):
        return stub.creator.msp.encode()

    def do_unlike(self, stub):
        """Every process answers otherwise."""
        return sys.argv[-1].encode()


if __name__ == "__main__":
    sys.exit(main(TrialContract()))
