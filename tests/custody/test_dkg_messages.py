import json
from dataclasses import replace

import pytest
from coincurve import PrivateKey
from dkg_world import World
from hypothesis import given, settings
from hypothesis import strategies as st

from caimi.custody.delivery import RecipientKey
from caimi.custody.dkg import Broadcast, Ceremony, Enrolment, Round, SignedMessage
from caimi.custody.dkg.messages import (
    Complaints,
    Confirmation,
    Dealing,
    Extraction,
    Reveals,
    SharePair,
)
from caimi.errors.custody import (
    CeremonyMisconfigured,
    CustodyError,
    ForgedMessage,
    MalformedEncoding,
)

WORLD = World(2, 3)
MESSAGE = WORLD.members[1].start()
DEALING = Dealing.from_bytes(MESSAGE.body)
HEARD = (bytes(32), b"\x01" * 32, b"\x02" * 32)
BODIES = [
    DEALING,
    Complaints(HEARD, ()),
    Complaints(HEARD, (1, 3)),
    Reveals(HEARD, {}),
    Reveals(HEARD, {1: SharePair(0, 5), 3: SharePair(7, 2)}),
    Extraction(HEARD, ()),
    Extraction(HEARD, DEALING.commitments),
    Confirmation(HEARD, bytes(32)),
]


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_bodies_round_trip_and_any_other_length_is_refused(body):
    encoded = body.to_bytes()
    assert type(body).from_bytes(encoded) == body
    for wrong in (b"", encoded[:-1], encoded + b"\x00"):
        with pytest.raises(MalformedEncoding):
            type(body).from_bytes(wrong)


@given(st.sampled_from([Complaints, Reveals, Extraction, Confirmation, Dealing]), st.binary())
@settings(max_examples=60, deadline=None)
def test_any_bytes_parse_to_themselves_or_are_refused(kind, data):
    try:
        body = kind.from_bytes(data)
    except MalformedEncoding:
        return
    assert body.to_bytes() == data


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1), (0,), (65,)])
def test_members_out_of_order_or_range_are_refused(numbers):
    with pytest.raises(MalformedEncoding):
        Complaints.from_bytes(Complaints(HEARD, numbers).to_bytes())


@pytest.mark.parametrize("terms", [["eip155:1", "0x" + "00" * 20, 0, 0]])
@pytest.mark.parametrize(
    ("place", "wrong"),
    [(1, "0x" + "AB" * 20), (1, "0x" + "00" * 19), (1, 5), (2, True), (3, True), (2, "0")],
)
def test_a_broadcast_of_another_kind_is_refused(terms, place, wrong):
    document = json.loads(replace(WORLD.ceremony, broadcast=FIRST).to_json())
    assert Ceremony.from_json(json.dumps(document | {"broadcast": terms}))
    terms = [*terms[:place], wrong, *terms[place + 1 :]]
    with pytest.raises(MalformedEncoding, match="broadcast is out of form"):
        Ceremony.from_json(json.dumps(document | {"broadcast": terms}))


def test_a_message_may_be_empty_on_the_wire():
    empty = replace(MESSAGE, body=b"")
    assert SignedMessage.from_json(empty.to_json()) == empty


def test_signed_messages_round_trip():
    assert SignedMessage.from_bytes(MESSAGE.to_bytes()) == MESSAGE
    assert SignedMessage.from_json(MESSAGE.to_json()) == MESSAGE
    MESSAGE.verify(WORLD.ceremony)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_signed_message_with_any_byte_changed_is_refused(data):
    encoded = bytearray(MESSAGE.to_bytes())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CustodyError):
        SignedMessage.from_bytes(bytes(encoded)).verify(WORLD.ceremony)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"round": 1', '"round": 0'),
        ('"round": 1', '"round": 8'),
        ('"sender": 1', '"sender": 0'),
        ('"sender": 1', '"sender": 65'),
        ('"sender": 1', '"sender": "1"'),
        ('"sender": 1', '"sender": 1, "more": 1'),
    ],
)
def test_json_messages_of_another_form_are_refused(old, new):
    text = MESSAGE.to_json()
    assert old in text
    with pytest.raises(MalformedEncoding):
        SignedMessage.from_json(text.replace(old, new))


def test_a_signed_message_of_no_round_is_refused():
    with pytest.raises(MalformedEncoding, match="is of no round"):
        SignedMessage.from_bytes(replace(MESSAGE, round=0).to_bytes())


def test_a_message_from_outside_the_ceremony_is_refused():
    with pytest.raises(ForgedMessage):
        replace(MESSAGE, sender=4).verify(WORLD.ceremony)


def test_a_message_is_signed_for_its_round_sender_and_ceremony():
    for change in ({"round": Round.COMPLAINT}, {"sender": 2}, {"ceremony": bytes(32)}):
        with pytest.raises(ForgedMessage):
            replace(MESSAGE, **change).verify(WORLD.ceremony)


def test_a_message_of_another_ceremony_of_the_same_members_is_refused():
    other = Ceremony(WORLD.session, 3, WORLD.ceremony.members)
    MESSAGE.verify(WORLD.ceremony)
    with pytest.raises(ForgedMessage):
        MESSAGE.verify(other)


def test_enrolments_round_trip_and_bind_session_identity_and_transport():
    enrolment = WORLD.ceremony.members[0]
    assert Enrolment.from_json(enrolment.to_json()) == enrolment
    other = WORLD.ceremony.members[1]
    for change in (
        {"session": bytes(32)},
        {"session": b""},
        {"identity": other.identity},
        {"transport": other.transport},
        {"signature": bytes(64)},
        {"signature": b""},
    ):
        with pytest.raises(CeremonyMisconfigured):
            replace(enrolment, **change).verify()


def test_an_enrolment_signed_with_an_unfit_transport_key_or_session_is_refused():
    identity, transport = PrivateKey(), WORLD.transports[0].public_bytes
    with pytest.raises(MalformedEncoding, match="recipient key must be"):
        Enrolment.sign(WORLD.session, identity, transport[:-1]).verify()
    for length in (31, 33):
        with pytest.raises(CeremonyMisconfigured, match="enrolment of 0x"):
            Enrolment.sign(bytes(length), identity, transport).verify()
    Enrolment.sign(bytes(32), identity, transport).verify()


def test_a_forged_enrolment_is_refused_as_it_is_read():
    forged = replace(WORLD.ceremony.members[0], signature=WORLD.ceremony.members[1].signature)
    with pytest.raises(CeremonyMisconfigured, match="not signed by it"):
        Enrolment.from_json(forged.to_json())


@pytest.mark.parametrize("identity", [b"", bytes(33), b"\x02" + b"\xff" * 32])
def test_an_enrolment_of_no_key_is_refused(identity):
    with pytest.raises(MalformedEncoding):
        replace(WORLD.ceremony.members[0], identity=identity).verify()


def test_ceremonies_with_unfit_terms_are_refused():
    members = WORLD.ceremony.members
    session = WORLD.session
    stranger = Enrolment.sign(bytes(32), PrivateKey(), RecipientKey.generate().public_bytes)
    for threshold, enrolled in (
        (1, members),
        (4, members),
        (2, members[:1]),
        (2, (*members, members[0])),
        (2, (*members, stranger)),
        (2, (*members[:2], replace(members[2], signature=bytes(64)))),
        (2, members * 22),
    ):
        with pytest.raises(CeremonyMisconfigured):
            Ceremony(session, threshold, enrolled)


def test_a_ceremony_has_at_most_64_members():
    transport = WORLD.transports[0].public_bytes
    members = tuple(Enrolment.sign(WORLD.session, PrivateKey(), transport) for _ in range(65))
    assert Ceremony(WORLD.session, 2, members[:64]).total == 64
    with pytest.raises(CeremonyMisconfigured, match="2 of 65 members"):
        Ceremony(WORLD.session, 2, members)


FIRST, LAST = Broadcast("eip:1", bytes(20), 0, 0), (1 << 63) - 1


@pytest.mark.parametrize(
    "terms",
    [{"ledger": "abcdefgh:" + "x" * 32}, {"first": LAST}, {"since": LAST}, {"account": b"a" * 20}],
)
def test_a_broadcast_at_its_bounds_round_trips_in_a_ceremony(terms):
    ceremony = replace(WORLD.ceremony, broadcast=replace(FIRST, **terms))
    assert Ceremony.from_json(ceremony.to_json()) == ceremony


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"ledger": "eip"}, "ledger or account"),
        ({"ledger": "EIP:1"}, "ledger or account"),
        ({"ledger": "eip:1\n"}, "ledger or account"),
        ({"ledger": "eip:" + "x" * 33}, "ledger or account"),
        ({"account": bytes(19)}, "ledger or account"),
        ({"account": bytes(21)}, "ledger or account"),
        ({"first": -1}, "first entry or height"),
        ({"first": LAST + 1}, "first entry or height"),
        ({"since": -1}, "first entry or height"),
        ({"since": LAST + 1}, "first entry or height"),
    ],
)
def test_a_broadcast_out_of_form_is_refused(terms, refusal):
    with pytest.raises(CeremonyMisconfigured, match=refusal):
        replace(FIRST, **terms)


def test_every_term_changes_what_messages_are_bound_to():
    members = WORLD.ceremony.members
    terms = [(2, members), (3, members), (2, members[:2]), (2, members[::-1])]
    digests = {Ceremony(WORLD.session, *term).digest for term in terms}
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("threshold", "total", "faults"), [(3, 5, 2), (6, 9, 3), (2, 2, 0), (2, 9, 1), (4, 7, 3)]
)
def test_as_many_faults_are_borne_as_leave_secrecy_and_a_threshold(threshold, total, faults):
    ceremony = World(threshold, total).ceremony
    assert ceremony.faults == faults
    assert 2 * ceremony.quorum > total


def test_revealed_and_dealt_secrets_are_not_printed():
    assert "123456789" not in repr(SharePair(123456789, 123456789))
    assert MESSAGE.body.hex()[:40] not in repr(MESSAGE)


def test_rounds_are_numbered_as_on_the_wire():
    assert [int(place) for place in Round] == [1, 2, 3, 4, 5, 6, 7]
