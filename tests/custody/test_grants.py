"""Who may have a key: what a model's home says at its finalised height, and nobody else."""

import asyncio

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st

from caimi.custody import grants
from caimi.custody.grants import LedgerGrants
from caimi.errors.custody import GrantRefused, MalformedEncoding
from caimi.errors.ledgers import LedgerUnavailable
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import FINAL, Exactly, FieldType, StatementDomain, StatementType
from lying_world import LyingLedger, address

VERSION = "1.0.0"
PUBLISHER, BUYER, STRANGER = address(1), address(2), address(3)


def account(ledger, who):
    return f"{ledger.id}:{to_checksum_address(who)}"


class World:
    """A home `a` with one model of `PUBLISHER`, and another ledger `b` that custodians follow."""

    def __init__(self):
        self.a, self.b = LyingLedger(1), LyingLedger(2)
        self.grants = LedgerGrants({self.a.id: self.a, self.b.id: self.b})
        self.model = self.a.model_id(self.a.account(PUBLISHER), "m")
        self.a.say_model(self.model, PUBLISHER, "m", PUBLISHER)

    async def may(self, consumer, *, on=None, model=None, version=VERSION):
        try:
            grant = await self.grants.check(
                (on or self.a).id, model or self.model, version, consumer
            )
        except GrantRefused:
            return False
        assert grant.consumer == consumer
        return True


@pytest.fixture
def world():
    return World()


async def test_a_licence_of_any_ledgers_account_counts_at_home(world):
    buyer = account(world.b, BUYER)
    assert not await world.may(buyer)
    world.a.say_licence(world.model, VERSION, buyer, live=True)
    assert await world.may(buyer)


async def test_a_licence_is_for_one_version_one_account_and_one_model(world):
    buyer = account(world.b, BUYER)
    world.a.say_licence(world.model, VERSION, buyer, live=True)
    other = world.a.model_id(world.a.account(PUBLISHER), "other")
    world.a.say_model(other, PUBLISHER, "other", PUBLISHER)
    assert not await world.may(buyer, version="1.0.1")
    assert not await world.may(account(world.b, STRANGER))
    assert not await world.may(account(world.a, BUYER))
    assert not await world.may(buyer, model=other)


async def test_a_revoked_licence_is_none(world):
    buyer = account(world.b, BUYER)
    world.a.say_licence(world.model, VERSION, buyer, live=True, height=3)
    world.a.say_licence(world.model, VERSION, buyer, live=False, height=5)
    assert not await world.may(buyer)


async def test_the_owner_needs_no_licence_and_is_an_account_of_the_home(world):
    assert await world.may(account(world.a, PUBLISHER))
    assert not await world.may(account(world.b, PUBLISHER))
    assert not await world.may(account(world.a, STRANGER))


async def test_who_owned_the_model_once_owns_it_no_more(world):
    world.a.say_model(world.model, PUBLISHER, "m", BUYER, height=5)
    assert not await world.may(account(world.a, PUBLISHER))
    assert await world.may(account(world.a, BUYER))


async def test_what_is_not_final_does_not_count(world):
    world.a.final = 4
    world.a.say_licence(world.model, VERSION, account(world.b, BUYER), live=True, height=5)
    world.a.say_model(world.model, PUBLISHER, "m", STRANGER, height=5)
    assert not await world.may(account(world.b, BUYER))
    assert not await world.may(account(world.a, STRANGER))


async def test_the_holder_of_a_foreign_token_does_not_own_the_model(world):
    home = world.a.account(bytes(20)).interoperable
    world.b.say_model(world.model, PUBLISHER, "m", STRANGER, home=home)
    assert not await world.may(account(world.b, STRANGER), on=world.b)


@pytest.mark.parametrize("home", [b"", b"\x01"])
async def test_no_ledger_vouches_for_anothers_model(world, home):
    stranger = account(world.b, STRANGER)
    world.b.say_model(world.model, PUBLISHER, "m", STRANGER, home=home)
    world.b.say_licence(world.model, VERSION, stranger, live=True)
    assert not await world.may(stranger, on=world.b)
    assert not await world.may(stranger)


async def test_a_ledger_that_tells_of_another_model_than_it_was_asked_for_is_not_believed(world):
    own = world.b.model_id(world.b.account(STRANGER), "mine")
    world.b.say_model(own, STRANGER, "mine", STRANGER)
    world.b.say("model", world.model, world.b._answer("model", own, None))
    assert not await world.may(account(world.b, STRANGER), on=world.b)


async def test_a_ledger_that_is_not_followed_grants_nothing(world):
    other = LyingLedger(9)
    model = other.model_id(other.account(STRANGER), "m")
    other.say_model(model, STRANGER, "m", STRANGER)
    assert not await world.may(account(other, STRANGER), on=other, model=model)


async def test_a_node_that_lags_behind_does_not_bring_a_revoked_licence_back(world):
    buyer = account(world.b, BUYER)
    world.a.say_licence(world.model, VERSION, buyer, live=True, height=3)
    world.a.say_licence(world.model, VERSION, buyer, live=False, height=8)
    world.a.final = 9
    assert not await world.may(buyer)
    world.a.final = 5
    assert not await world.may(buyer)


async def test_a_height_that_could_not_be_read_is_not_kept(world):
    buyer = account(world.b, BUYER)
    world.a.say_licence(world.model, VERSION, buyer, live=True)
    truth, world.a.final = world.a.final, 1_000
    licence, world.a.licence = world.a.licence, unavailable
    with pytest.raises(LedgerUnavailable):
        await world.may(buyer)
    world.a.licence, world.a.final = licence, truth
    assert await world.may(buyer)
    assert world.a.asked[-1][1] == Exactly(truth)


async def unavailable(*_args, **_keywords):
    raise LedgerUnavailable("no such block")


async def test_a_ledger_that_keeps_no_past_is_asked_for_its_final_state(world, monkeypatch):
    buyer = account(world.b, BUYER)
    world.a.keeps_past = False
    world.a.say_licence(world.model, VERSION, buyer, live=True)
    assert await world.may(buyer)

    # Between the height and the reads a block comes that revokes the licence.
    async def overtaken():
        block = await LyingLedger.finalized(world.a)
        world.a.final = 12
        return block

    monkeypatch.setattr(world.a, "finalized", overtaken, raising=False)
    world.a.say_licence(world.model, VERSION, buyer, live=False, height=11)
    assert not await world.may(buyer)
    assert world.a.asked[-1] == ("licence", FINAL)


# --- contract accounts ---------------------------------------------------------------------------

SAY = StatementType(StatementDomain("CAIMI", "1"), "Test", (("number", FieldType.UINT64),)).state
SAID, SIGNATURE = SAY(1), b"as the contract likes"
DIGEST = EvmAccounts("eip155:2").digest(SAID)


async def test_a_contract_account_is_asked_on_its_own_ledger_at_its_final_height(world):
    wallet = account(world.b, BUYER)
    world.b.final = 4
    world.a.approved = [(0, BUYER, DIGEST, SIGNATURE)]
    assert not await world.grants.signed(wallet, SAID, SIGNATURE)
    world.b.approved = [(5, BUYER, DIGEST, SIGNATURE)]
    assert not await world.grants.signed(wallet, SAID, SIGNATURE)
    world.b.final = 5
    assert await world.grants.signed(wallet, SAID, SIGNATURE)
    assert not await world.grants.signed(wallet, SAY(2), SIGNATURE)
    assert not await world.grants.signed(account(world.b, STRANGER), SAID, SIGNATURE)


async def test_no_contract_is_asked_about_a_key_of_its_own(world):
    wallet, stranger = (
        world.b.accounts.wallet(LocalSigner.generate()),
        world.b.accounts.wallet(LocalSigner.generate()),
    )
    assert await world.grants.signed(wallet.name, SAID, wallet.sign_statement(SAID))
    assert world.b.asked == []
    assert not await world.grants.signed(wallet.name, SAID, stranger.sign_statement(SAID))
    assert [what for what, _ in world.b.asked] == ["approves"]


async def test_a_node_that_lags_behind_does_not_bring_a_former_signer_back(world):
    wallet = account(world.b, BUYER)
    world.b.final = 8
    assert not await world.grants.signed(wallet, SAID, SIGNATURE)
    world.b.final = 3
    await world.grants.signed(wallet, SAID, SIGNATURE)
    assert world.b.asked[-1] == ("approves", Exactly(8))


async def test_an_account_of_a_ledger_that_is_not_followed_is_refused_by_name(world):
    elsewhere = LyingLedger(9)
    wallet = elsewhere.accounts.wallet(LocalSigner.generate())
    world.a.say_licence(world.model, VERSION, wallet.name, live=True)
    for name in (wallet.name, "local:near:alice"):
        with pytest.raises(GrantRefused, match=f"does not follow the ledger of {name}"):
            await world.grants.signed(name, SAID, wallet.sign_statement(SAID))
        with pytest.raises(GrantRefused, match=f"does not follow the ledger of {name}"):
            await world.grants.check(world.a.id, world.model, VERSION, name)


@pytest.mark.parametrize("change", [str.lower, lambda name: f"{name}0", lambda name: name[:-1]])
async def test_an_account_has_the_one_form_that_its_ledger_writes(world, change):
    wrong = change(account(world.b, BUYER))
    with pytest.raises(MalformedEncoding):
        await world.grants.signed(wrong, SAID, SIGNATURE)
    with pytest.raises(MalformedEncoding):
        await world.grants.check(world.a.id, world.model, VERSION, wrong)


async def test_where_no_account_is_a_contract_none_takes_a_signature(world, monkeypatch):
    monkeypatch.setattr(LyingLedger, "contract_accounts", None)
    world.b.approved = [(0, BUYER, DIGEST, SIGNATURE)]
    assert not await world.grants.signed(account(world.b, BUYER), SAID, SIGNATURE)


async def test_a_contract_account_that_takes_for_ever_is_refused(world, monkeypatch):
    async def never(*_arguments, **_keywords):
        await asyncio.sleep(60)

    monkeypatch.setattr(grants, "APPROVAL_SECONDS", 0.01)
    world.b.approves = never
    with pytest.raises(GrantRefused, match="within"):
        await world.grants.signed(account(world.b, BUYER), SAID, SIGNATURE)


# --- the property: random ledgers, random lies ---------------------------------------------------

LEDGERS = (11, 12, 13)
NAMES = ("m", "n")
ACCOUNTS = st.sampled_from([(number, who) for number in LEDGERS for who in (1, 2)])
MODELS = st.sampled_from([(number, name) for number in LEDGERS for name in NAMES])
HEIGHTS = st.integers(1, 6)
STATEMENTS = st.one_of(
    st.tuples(st.just("model"), st.sampled_from(LEDGERS), MODELS, ACCOUNTS, st.booleans(), HEIGHTS),
    st.tuples(
        st.just("licence"), st.sampled_from(LEDGERS), MODELS, ACCOUNTS, st.booleans(), HEIGHTS
    ),
)
REQUESTS = st.tuples(st.sampled_from(LEDGERS), MODELS, ACCOUNTS, HEIGHTS)


def permitted(truth, request, seen):
    """The rule, said once more from the statements alone: only the home's own count."""
    number, model, (account_ledger, who), final = request
    height = max(final, seen[number])
    own = [s for s in truth if s[1] == number == model[0] and s[2] == model and s[5] <= height]
    own.sort(key=lambda s: s[5])
    owners = [s[3][1] for s in own if s[0] == "model"]
    if not owners:
        return False
    seen[number] = height
    licences = [s[4] for s in own if s[0] == "licence" and s[3] == (account_ledger, who)]
    return bool(licences and licences[-1]) or (account_ledger == number and owners[-1] == who)


@settings(max_examples=150, deadline=None)
@given(st.lists(STATEMENTS, max_size=16), st.lists(REQUESTS, min_size=1, max_size=6))
async def test_only_the_home_decides_whatever_others_say(statements, requests):
    ledgers = {number: LyingLedger(number) for number in LEDGERS}
    checker = LedgerGrants({ledger.id: ledger for ledger in ledgers.values()})

    def model_id(model):
        number, name = model
        return ledgers[number].model_id(ledgers[number].account(PUBLISHER), name)

    for kind, teller, model, (of, who), flag, height in statements:
        says = ledgers[teller]
        if kind == "licence":
            consumer = account(ledgers[of], address(who))
            says.say_licence(model_id(model), VERSION, consumer, live=flag, height=height)
        else:
            # About its own model a ledger's home field is empty; about others it may say anything.
            home = b"" if flag or teller == model[0] else says.account(bytes(20)).interoperable
            says.say_model(
                model_id(model), PUBLISHER, model[1], address(who), home=home, height=height
            )

    seen = dict.fromkeys(LEDGERS, 0)
    for request in requests:
        number, model, (of, who), final = request
        ledgers[number].final = final
        consumer = account(ledgers[of], address(who))
        try:
            await checker.check(ledgers[number].id, model_id(model), VERSION, consumer)
            permits = True
        except GrantRefused:
            permits = False
        assert permits == permitted(statements, request, seen)
