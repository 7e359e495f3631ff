from itertools import combinations

import pytest
from coincurve import PrivateKey
from dkg_world import World
from hypothesis import given, settings
from hypothesis import strategies as st

from caimi.custody.delivery import RecipientKey
from caimi.custody.dkg import Participant, Round, SignedMessage, generate_in_process
from caimi.custody.dkg.messages import (
    Complaints,
    Confirmation,
    Dealing,
    Extraction,
    Reveals,
    SharePair,
)
from caimi.custody.group import ORDER, generator_times
from caimi.custody.polynomial import interpolate
from caimi.custody.tdh2 import combine, decryption_share, encrypt
from caimi.errors.custody import (
    CeremonyFailed,
    CeremonyMisconfigured,
    Equivocation,
    ForgedMessage,
    NotConfirmed,
    WrongRound,
)


def assert_sound(world, shares, honest):
    """The honest hold shares of one key, and any threshold of them makes its secret."""
    groups = {shares[index].group for index in honest}
    assert len(groups) == 1
    group = groups.pop()
    for chosen in combinations(honest, group.threshold):
        secret = interpolate({index: shares[index].secret for index in chosen})
        assert generator_times(secret) == group.public_key
    return group


def faults_seen_by(world, honest):
    seen = [world.members[index].faults for index in honest]
    assert all(faults == seen[0] for faults in seen)
    return seen[0]


def test_a_share_is_a_scalar_while_it_awaits_the_confirmations():
    world = World(3, 5)
    assert all(0 < share.secret < ORDER for share in world.run().values())


@given(st.integers(2, 6).flatmap(lambda t: st.tuples(st.just(t), st.integers(t, 7))))
@settings(max_examples=8, deadline=None)
def test_honest_members_end_with_shares_of_one_key(size):
    threshold, total = size
    world = World(threshold, total)
    shares = world.run()
    assert world.finish() == shares
    group = assert_sound(world, shares, range(1, total + 1))
    assert (group.threshold, group.total) == size
    assert faults_seen_by(world, range(1, total + 1)) == {}


def test_the_generated_key_seals_and_opens():
    shares = generate_in_process([PrivateKey() for _ in range(5)], 3)
    group = shares[0].group
    ciphertext = encrypt(group.public_key, b"key", b"label")
    parts = [decryption_share(ciphertext, share) for share in shares[2:]]
    assert combine(ciphertext, parts, group).secret == b"key"


def test_two_ceremonies_of_the_same_members_make_different_keys():
    identities = [PrivateKey() for _ in range(3)]
    first, second = (generate_in_process(identities, 2) for _ in range(2))
    assert first[0].group.public_key != second[0].group.public_key


# --- one cheating member (5) of 3-of-5, and how it ends ------------------------------------------


def spoil_sealed(world, messages):
    """Member 5 seals rubbish to member 1."""
    dealing = Dealing.from_bytes(messages[5].body)
    rubbish = bytes(len(dealing.sealed[0]))
    world.say(messages, 5, Dealing(dealing.commitments, (rubbish, *dealing.sealed[1:])).to_bytes())


def spoil_commitment(world, messages):
    """Member 5 commits to another polynomial than it deals."""
    dealing = Dealing.from_bytes(messages[5].body)
    changed = (dealing.commitments[0].plus_generator_times(1), *dealing.commitments[1:])
    world.say(messages, 5, Dealing(changed, dealing.sealed).to_bytes())


def deal_fewer(world, messages):
    dealing = Dealing.from_bytes(messages[5].body)
    world.say(messages, 5, Dealing(dealing.commitments[:2], dealing.sealed).to_bytes())


def deal_more(world, messages):
    dealing = Dealing.from_bytes(messages[5].body)
    longer = (*dealing.commitments, generator_times(3))
    world.say(messages, 5, Dealing(longer, dealing.sealed).to_bytes())


def babble(world, messages):
    world.say(messages, 5, b"rubbish")


def fall_silent(world, messages):
    del messages[5]


def reveal_nothing(world, messages):
    world.say(messages, 5, Reveals(Reveals.from_bytes(messages[5].body).heard, {}).to_bytes())


def reveal_wrong(world, messages):
    said = Reveals.from_bytes(messages[5].body)
    wrong = {i: SharePair(pair.share ^ 1, pair.blinding) for i, pair in said.pairs.items()}
    world.say(messages, 5, Reveals(said.heard, wrong).to_bytes())


def extract_another(world, messages):
    said = Extraction.from_bytes(messages[5].body)
    changed = (said.commitments[0].plus_generator_times(1), *said.commitments[1:])
    world.say(messages, 5, Extraction(said.heard, changed).to_bytes())


def extract_nothing(world, messages):
    world.say(messages, 5, Extraction(Extraction.from_bytes(messages[5].body).heard, ()).to_bytes())


@pytest.mark.parametrize(
    ("lies", "reason"),
    [
        ({Round.DEALING: fall_silent}, "no well-formed dealing"),
        ({Round.DEALING: babble}, "no well-formed dealing"),
        ({Round.DEALING: deal_fewer}, "no well-formed dealing"),
        ({Round.DEALING: deal_more}, "no well-formed dealing"),
        ({Round.DEALING: spoil_commitment}, "drew complaints from members"),
        ({Round.DEALING: spoil_sealed, Round.JUSTIFICATION: reveal_nothing}, "did not justify"),
        ({Round.DEALING: spoil_sealed, Round.JUSTIFICATION: reveal_wrong}, "did not justify"),
        ({Round.DEALING: spoil_sealed, Round.JUSTIFICATION: babble}, "malformed"),
        ({Round.DEALING: spoil_sealed, Round.JUSTIFICATION: fall_silent}, "silent"),
    ],
)
def test_a_cheating_dealer_is_disqualified_and_named(lies, reason):
    world = World(3, 5)
    shares = world.run(lies)
    honest = range(1, 5)
    assert_sound(world, shares, honest)
    for index in honest:
        assert world.members[index].disqualified == {5}
        assert world.members[index].qualified == (1, 2, 3, 4)
    faults = faults_seen_by(world, honest)
    assert set(faults) == {5}
    assert reason in faults[5]


def test_a_dealer_that_justifies_its_share_stays():
    world = World(3, 5)
    shares = world.run({Round.DEALING: spoil_sealed})
    assert_sound(world, shares, range(1, 6))
    assert world.members[1].qualified == (1, 2, 3, 4, 5)


def test_false_complaints_do_not_disqualify_an_honest_dealer():
    def complain(world, messages):
        for liar in (4, 5):
            heard = Complaints.from_bytes(messages[liar].body).heard
            world.say(messages, liar, Complaints(heard, (1, 2)).to_bytes())

    world = World(3, 5)
    shares = world.run({Round.COMPLAINT: complain})
    assert_sound(world, shares, range(1, 6))
    assert world.members[3].qualified == (1, 2, 3, 4, 5)


def test_a_members_complaint_about_itself_counts_for_nothing():
    """As many others complain as may all be false; the dealer's own makes none of them true."""

    def complain(world, messages):
        for liar in (3, 4, 5):
            heard = Complaints.from_bytes(messages[liar].body).heard
            world.say(messages, liar, Complaints(heard, (5,)).to_bytes())

    world = World(3, 5)
    assert world.ceremony.faults == 2
    world.run({Round.COMPLAINT: complain})
    assert world.members[1].qualified == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("lie", [extract_another, extract_nothing, babble, fall_silent])
def test_a_cheat_in_the_extraction_is_named_and_cannot_change_the_key(lie):
    world = World(3, 5)
    dealers = {index: member._dealer for index, member in world.members.items()}
    shares = world.run({Round.EXTRACTION: lie})
    honest = range(1, 5)
    group = assert_sound(world, shares, honest)
    # Its secret still counts, pooled from the shares that it dealt: it could not take it back.
    everyone = sum(dealer.pair_for(0).share for dealer in dealers.values())
    assert group.public_key == generator_times(everyone)
    assert set(faults_seen_by(world, honest)) == {5}


def test_a_false_extraction_complaint_exposes_nobody():
    def complain(world, messages):
        said = Reveals.from_bytes(messages[5].body)
        member = world.members[5]
        pairs = {1: member._pairs[1], 2: SharePair(1, 2), 9: SharePair(1, 2)}
        world.say(messages, 5, Reveals(said.heard, pairs).to_bytes())

    world = World(3, 5)
    shares = world.run({Round.EXTRACTION_COMPLAINT: complain})
    assert_sound(world, shares, range(1, 6))
    assert world.members[3]._exposed == set()


def test_wrong_shares_in_the_reconstruction_are_left_out():
    world = World(3, 6)
    shares = world.run({Round.EXTRACTION: fall_silent, Round.RECONSTRUCTION: spoil_pool})
    assert_sound(world, shares, (2, 3, 4, 6))


def spoil_pool(world, messages):
    said = Reveals.from_bytes(messages[1].body)
    assert set(said.pairs) == {5}
    world.say(messages, 1, Reveals(said.heard, {5: SharePair(1, 2)}).to_bytes())


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*Round][:6]), st.sampled_from([fall_silent, babble, spoil_commitment])
        ),
        max_size=1,
    ),
    st.sampled_from([*Round]),
)
@settings(max_examples=25, deadline=None)
def test_an_honest_majority_ends_with_one_key_whatever_two_members_do(lies, crash):
    def crash_4(world, messages):
        messages.pop(4, None)

    chosen = {
        place: lie
        for place, lie in lies
        if (lie is spoil_commitment) <= (place is Round.DEALING) and place is not crash
    }
    world = World(3, 5)
    shares = world.run({**chosen, crash: crash_4})
    assert_sound(world, shares, (1, 2, 3))


def test_an_extraction_of_another_length_is_named():
    def extract_fewer(world, messages):
        said = Extraction.from_bytes(messages[5].body)
        world.say(messages, 5, Extraction(said.heard, said.commitments[:2]).to_bytes())

    world = World(3, 5)
    shares = world.run({Round.EXTRACTION: extract_fewer})
    assert_sound(world, shares, range(1, 6))
    assert "well-formed extraction" in faults_seen_by(world, range(1, 5))[5]


def test_too_few_dealers_end_the_ceremony():
    def babble_three(world, messages):
        for index in (3, 4, 5):
            world.say(messages, index, b"rubbish")

    with pytest.raises(CeremonyFailed, match="2 dealers qualify"):
        World(3, 5).run({Round.DEALING: babble_three})


def test_a_secret_that_too_few_can_pool_ends_the_ceremony():
    def spoil_two(world, messages):
        spoil_pool(world, messages)
        said = Reveals.from_bytes(messages[2].body)
        world.say(messages, 2, Reveals(said.heard, {}).to_bytes())

    lies = {Round.EXTRACTION: fall_silent, Round.RECONSTRUCTION: spoil_two}
    with pytest.raises(CeremonyFailed, match="cannot be pooled"):
        World(3, 5).run(lies)


def run_and_finish(world, lies):
    world.run(lies)
    return world.finish()


def test_too_many_silent_members_end_the_ceremony():
    def silence(world, messages):
        for index in (3, 4, 5):
            del messages[index]

    for place in Round:
        world = World(3, 5)
        with pytest.raises((CeremonyFailed, Equivocation, NotConfirmed)):
            run_and_finish(world, {place: silence})


def deny(world, messages):
    heard = Confirmation.from_bytes(messages[5].body).heard
    world.say(messages, 5, Confirmation(heard, bytes(32)).to_bytes())


def mishear(world, messages):
    said = Confirmation.from_bytes(messages[5].body)
    heard = (bytes(32), *said.heard[1:])
    world.say(messages, 5, Confirmation(heard, said.group_digest).to_bytes())


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (deny, Equivocation),
        (mishear, Equivocation),
        (fall_silent, NotConfirmed),
        (babble, NotConfirmed),
    ],
)
def test_no_share_is_of_use_before_every_member_has_confirmed_the_key(lie, error):
    world = World(3, 5)
    world.run({Round.CONFIRMATION: lie})
    for index in range(1, 5):
        with pytest.raises(error, match=r"\[5\]"):
            world.members[index].finish(world.confirmations[index].values())


def test_the_bound_of_faults_is_less_than_a_third_where_a_coordinator_alone_relays():
    for threshold, total, alone, broadcast in (
        (2, 3, 0, 1), (3, 5, 1, 2), (3, 4, 1, 1), (4, 7, 2, 3), (2, 7, 1, 1), (6, 7, 1, 1),
    ):  # fmt: skip
        assert World(threshold, total, broadcast=False).ceremony.faults == alone
        assert World(threshold, total).ceremony.faults == broadcast


def run_until(world, place):
    messages = {index: member.start() for index, member in world.members.items()}
    while messages[1].round is not place:
        messages = {i: m.advance(messages.values()) for i, m in world.members.items()}
    return messages


# --- a lying coordinator -------------------------------------------------------------------------


def test_a_dealer_that_tells_members_different_things_is_named():
    world, other = World(3, 5), {}

    def relay(place, index, messages):
        if place is Round.DEALING and index in (1, 2):
            other.setdefault(
                "dealer",
                Participant(world.ceremony, world.identities[4], world.transports[4]).start(),
            )
            messages[5] = other["dealer"]
        return messages

    with pytest.raises(Equivocation, match=r"different things by \[5\]"):
        world.run(relay=relay)


def test_two_different_messages_of_one_member_are_found():
    world = World(2, 3)
    messages = [member.start() for member in world.members.values()]
    twin = Participant(world.ceremony, world.identities[2], world.transports[2]).start()
    with pytest.raises(Equivocation, match="Member 3 signed two"):
        world.members[1].advance([*messages, twin])
    world.members[1].advance([*messages, messages[2]])


@pytest.mark.parametrize("place", list(Round)[:6])
def test_a_coordinator_that_splits_the_members_stops_the_ceremony(place):
    def relay(now, index, messages):
        if now is place:
            hidden = (4, 5) if index < 4 else (1, 2, 3)
            for sender in hidden:
                if sender != index:
                    messages.pop(sender)
        return messages

    with pytest.raises((Equivocation, CeremonyFailed)):
        World(3, 5).run(relay=relay)


def forgeries(world, messages):
    one = messages[0]
    yield SignedMessage(one.ceremony, one.round, 2, one.body, one.signature)
    yield SignedMessage(one.ceremony, Round.COMPLAINT, 1, one.body, one.signature)
    yield SignedMessage(one.ceremony, one.round, 1, one.body + b"\x00", one.signature)
    yield SignedMessage(one.ceremony, one.round, 1, one.body, bytes(64))
    yield SignedMessage(one.ceremony, one.round, 4, one.body, one.signature)
    yield SignedMessage(bytes(32), one.round, 1, one.body, one.signature)
    yield World(2, 3).members[1].start()
    yield SignedMessage.sign(one.ceremony, Round.COMPLAINT, 1, one.body, world.identities[0])


@pytest.mark.parametrize("kind", range(8))
def test_forged_and_misplaced_messages_are_refused_and_change_nothing(kind):
    world = World(2, 3)
    messages = [member.start() for member in world.members.values()]
    forged = list(forgeries(world, messages))[kind]
    with pytest.raises(ForgedMessage):
        world.members[2].advance([forged, *messages[1:]])
    advanced = world.members[2].advance(messages)
    assert advanced.round is Round.COMPLAINT


def test_a_round_can_be_taken_again_after_a_bad_relay():
    world = World(3, 5)
    messages = run_until(world, Round.JUSTIFICATION)
    with pytest.raises(Equivocation):
        world.members[1].advance([messages[1], messages[2]])
    assert world.members[1].advance(messages.values()).round is Round.EXTRACTION
    assert world.members[1].faults == {}


def test_steps_out_of_order_are_refused():
    world = World(2, 3)
    member = world.members[1]
    with pytest.raises(WrongRound):
        member.advance([])
    with pytest.raises(WrongRound):
        member.finish([])
    member.start()
    with pytest.raises(WrongRound):
        member.start()
    with pytest.raises(WrongRound):
        member.finish([])
    world = World(2, 3)
    run_until(world, Round.CONFIRMATION)
    with pytest.raises(WrongRound):
        world.members[1].advance([])


def test_a_stranger_and_a_member_with_another_key_cannot_take_part():
    world = World(2, 3)
    with pytest.raises(CeremonyMisconfigured):
        Participant(world.ceremony, PrivateKey(), world.transports[0])
    with pytest.raises(CeremonyMisconfigured):
        Participant(world.ceremony, world.identities[0], RecipientKey.generate())
