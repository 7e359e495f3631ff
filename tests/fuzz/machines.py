"""What ledgers that run CAIMI's contracts read: signed calls, and what became of them."""

from __future__ import annotations

from caimi.contracts.identifiers import Account
from caimi.contracts.offers import LicencePrice, PricesSet
from caimi.contracts.sending import PacketSent
from caimi.errors.ledgers import CallRefused
from caimi.ibc.packet import Packet, Payload
from caimi.ledgers.machine.calls import MachineCall, SignedAct, nothing, read, sign
from caimi.ledgers.machine.outcomes import ActOutcome, decode_effect, encode_effect
from caimi.ledgers.machine.values import decode_value, encode_value
from caimi.ledgers.port import LedgerId, SignedCall
from caimi.rlp_items import decode_item, encode_item
from fuzz.decoder import Decoder, Law
from memory_ledger import Wallet, WordBook
from memory_ledger.words import MemoryAccounts

HERE = LedgerId("local:near")
ACCOUNTS = MemoryAccounts(HERE, WordBook())
PACKET = Packet(7, "a-0", "b-1", 50, (Payload("model", "model", "1", "bytes", b"\1" * 40),))


def _calls() -> list[bytes]:
    arguments = ("a-0", (PACKET,), b"\2" * 70)
    call = MachineCall(HERE, "Delivering", "receive", arguments, nothing)
    return [sign(call, Wallet(b"alice"), 9, ACCOUNTS).raw]


def _read_call(raw: bytes) -> SignedAct:
    return read(SignedCall(HERE, "Delivering", "call-00", raw), ACCOUNTS)


def _effects() -> list[bytes]:
    prices = PricesSet(b"\1" * 32, Account(b"a"), (LicencePrice(b"l", b"", 5, False),))
    return [encode_effect(prices), encode_effect(PacketSent(PACKET))]


def _outcomes() -> list[bytes]:
    refusal = CallRefused("TooManyPrices", {"length": 33, "of": b"\1" * 32})
    return [ActOutcome((5, "a"), (), None).encode(), ActOutcome(None, (), refusal).encode()]


DECODERS = (
    Decoder(
        "rlp-item",
        ("caimi.rlp_items",),
        lambda: [encode_item([b"", b"\1", [b"\2" * 60, [], b"\x80"]])],
        decode_item,
        encode_item,
        Law.ONE_SPELLING,
        (ValueError,),
    ),
    Decoder(
        "machine-value",
        (
            "caimi.ledgers.machine.values",
            "caimi.ledgers.machine.calls.Envelope.read_arguments",
        ),
        lambda: [encode_value((1, True, None, b"\1" * 60, ("text", ())))],
        decode_value,
        encode_value,
        Law.ONE_SPELLING,
        (ValueError,),
    ),
    Decoder(
        "machine-call",
        (
            "caimi.ledgers.machine.calls.read",
            "caimi.ledgers.machine.calls.decode_act",
            "caimi.ledgers.machine.sending.Sending._read",
        ),
        _calls,
        _read_call,
    ),
    Decoder(
        "machine-effect",
        (
            "caimi.ledgers.machine.outcomes.decode_effect",
            "caimi.ledgers.machine.outcomes._read_effect",
        ),
        _effects,
        decode_effect,
        encode_effect,
        Law.ONE_SPELLING,
        (ValueError,),
    ),
    Decoder(
        "machine-outcome",
        ("caimi.ledgers.machine.outcomes.ActOutcome.decode",),
        _outcomes,
        lambda data: ActOutcome.decode(data, ()),
        ActOutcome.encode,
        Law.ONE_SPELLING,
        (ValueError,),
    ),
)
