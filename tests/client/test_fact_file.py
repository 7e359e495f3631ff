"""A file of facts has no gap and no ghost, whoever writes to it and whatever happened to it."""

from __future__ import annotations

import sqlite3
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caimi.client.fact_file import FactFile, FactFileUnusable, KnownFact, Reached
from caimi.client.fact_text import KINDS, read_fact, write_fact
from caimi.client.listing import listings
from caimi.errors.ledgers import LedgerAnswerInvalid
from caimi.ledgers.port import (
    MODEL_KINDS,
    Account,
    Asset,
    BlockFacts,
    ChangedOwner,
    ChangedPrices,
    CompletedPurchase,
    DeprecatedVersion,
    GrantedLicence,
    LedgerId,
    ModelFact,
    Money,
    OpenedPurchase,
    Price,
    PublishedVersion,
    RefundedPurchase,
    RegisteredModel,
    RevokedLicence,
    ToldFact,
)

HERE, THERE = LedgerId("local:here"), LedgerId("local:there")
ALICE, BOB = Account(HERE, b"alice"), Account(HERE, b"bob")
COIN = Asset(HERE, b"")
st.register_type_strategy(Money, st.builds(Money, st.from_type(Asset), st.integers(0, 2**256)))
st.register_type_strategy(
    Price,
    st.builds(
        lambda amount, native, offered: Price(
            amount, Account(amount.asset.ledger, native), offered
        ),
        st.from_type(Money),
        st.binary(),
        st.booleans(),
    ),
)
FACTS = st.one_of(*(st.from_type(kind) for kind in sorted(MODEL_KINDS, key=lambda k: k.__name__)))


@given(FACTS)
def test_every_fact_is_read_as_it_was_written(fact: ModelFact) -> None:
    assert read_fact(type(fact).__name__, write_fact(fact)) == fact


@given(FACTS, st.sampled_from(sorted(KINDS)), st.data())
def test_whatever_is_no_fact_is_refused_by_one_error(fact: ModelFact, kind: str, data) -> None:
    text = write_fact(fact)
    at = data.draw(st.integers(0, len(text)))
    broken = text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 2)) :]
    try:
        read = read_fact(kind, broken)
    except ValueError:
        return
    assert type(read) is KINDS[kind]
    for field in fields(read):
        assert type(getattr(read, field.name)) in (
            bytes,
            str,
            int,
            tuple,
            Account,
            Money,
            type(None),
        )
    with pytest.raises(ValueError, match="No Nothing"):
        read_fact("Nothing", text)


def test_a_price_that_is_paid_to_an_account_of_another_ledger_is_no_fact() -> None:
    text = write_fact(ChangedPrices(model(1), ALICE, (Price(COIN.of(5), BOB),)))
    assert text.count(HERE) == 3
    elsewhere = text[::-1].replace(HERE[::-1], THERE[::-1], 1)[::-1]
    with pytest.raises(ValueError, match="ChangedPrices"):
        read_fact("ChangedPrices", elsewhere)


def test_an_amount_below_nothing_is_no_fact() -> None:
    opened = OpenedPurchase(b"\1" * 32, model(1), BOB, ALICE, "1.0.0", "c-0", 1, COIN.of(5))
    text = write_fact(opened)
    assert text.endswith("5]]")
    with pytest.raises(ValueError, match="OpenedPurchase"):
        read_fact("OpenedPurchase", text.removesuffix("5]]") + "-5]]")


def model(number: int) -> bytes:
    return bytes([number]) * 32


def registered(number: int) -> RegisteredModel:
    return RegisteredModel(model(number), ALICE, f"m{number}")


def ledger(counts: list[int]) -> list[BlockFacts]:
    """Make a ledger whose blocks, from 1 on, register so many models each."""
    numbers = iter(range(1, 256))
    return [
        BlockFacts(
            height, 10 * height, tuple(ToldFact("tx", registered(next(numbers))) for _ in range(n))
        )
        for height, n in enumerate(counts, 1)
    ]


def at(height: int) -> Reached:
    return Reached(height, bytes([height]) * 32)


def known(file: FactFile) -> list[ModelFact]:
    return [each.fact for each in file.models(lambda _: True)[1]]


def told(blocks: list[BlockFacts]) -> list[ModelFact]:
    return [each.fact for block in blocks for each in block.facts]


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 3)), max_size=8),
)
def test_however_many_read_and_lag_there_is_no_gap(
    counts: list[int], reads: list[tuple[int, int, int]]
) -> None:
    blocks, file, reached, lost = ledger(counts), FactFile(None, 0), 0, {}
    for low, high, loses in reads:
        after, last = min(low, len(blocks)), min(max(low, high), len(blocks))
        read = [
            BlockFacts(b.height, b.time, b.facts[: max(len(b.facts) - loses, 0)])
            for b in blocks[after:last]
        ]
        taken = file.extend(after, read, at(last))
        assert taken == (after <= reached)
        if taken:
            reached = max(reached, last)
            for block in read:
                best = max(lost.get(block.height, 0), len(block.facts))
                lost[block.height] = best
        assert file.reached() == (at(reached) if reached else None)
        # What any reading showed is there, and nothing of blocks that were not reached.
        expected = [f for b in blocks for f in b.facts[: lost.get(b.height, 0)]]
        assert [each.fact for each in expected] == known(file)
    file.close()


def test_many_processes_write_to_one_file_and_one_of_them_may_begin_anew(tmp_path: Path) -> None:
    blocks, path = ledger([1, 2, 0, 1]), tmp_path / "deep" / "index.sqlite"
    one, other = FactFile(path, 0), FactFile(path, 0)
    assert one.extend(0, blocks[:2], at(2))
    assert other.reached() == at(2)
    assert other.extend(2, blocks[2:], at(4))
    assert one.extend(2, blocks[2:3], at(3))
    assert (one.reached(), known(one)) == (at(4), told(blocks))
    other.clear()
    assert not one.extend(4, [], at(4))
    assert (one.reached(), known(one)) == (None, [])
    assert path.stat().st_mode & 0o777 == 0o600
    one.close()
    other.close()
    again = FactFile(path, 0)
    assert again.reached() is None
    again.close()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(
            b"no database, this is, and long enough to be looked at" * 99
        ),
        lambda path: path.write_bytes(path.read_bytes()[:5000] + b"\xff" * 9000),
        lambda path: execute(path, "PRAGMA user_version = 9"),
        lambda path: execute(path, "DROP TABLE facts"),
        lambda path: execute(path, "UPDATE facts SET body = '[1]'"),
        lambda path: execute(path, "UPDATE facts SET body = '['"),
        lambda path: execute(path, "UPDATE facts SET body = replace(body, 'm1', '\"')"),
    ],
)
def test_a_damaged_file_is_known_as_one(tmp_path: Path, damage) -> None:
    path = tmp_path / "index.sqlite"
    file = FactFile(path, 0)
    assert file.extend(0, ledger([3] * 60), at(60))
    file.close()
    damage(path)

    def use() -> None:
        file = FactFile(path, 0)
        try:
            file.reached()
            file.history(model(1))
            file.models(lambda _: True)
        finally:
            file.close()

    with pytest.raises(FactFileUnusable) as unusable:
        use()
    assert unusable.value.damaged


def execute(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    with db:
        db.execute(statement)
    db.close()


def test_a_place_that_cannot_be_written_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "index.sqlite", tmp_path):
        with pytest.raises(FactFileUnusable) as unusable:
            FactFile(path, 0)
        assert not unusable.value.damaged


def test_a_height_or_time_that_no_ledger_has_is_refused_and_leaves_nothing() -> None:
    file = FactFile(None, 0)
    for block in (BlockFacts(1, 1 << 64, ledger([1])[0].facts), BlockFacts(1 << 64, 1, ())):
        with pytest.raises(LedgerAnswerInvalid):
            file.extend(0, [block], Reached(block.height, bytes(32)))
        assert (file.reached(), known(file)) == (None, [])


def test_a_models_history_has_its_licences_and_purchases_in_order_and_no_others() -> None:
    licence, other, purchase = b"\7" * 32, b"\x08" * 32, b"\x09" * 32
    facts: list[ModelFact] = [
        registered(1),
        OpenedPurchase(purchase, model(1), BOB, ALICE, "1.0.0", "c-0", 1, COIN.of(5)),
        GrantedLicence(licence, model(1), "1.0.0", BOB.interoperable, ALICE.interoperable),
        GrantedLicence(other, model(2), "1.0.0", BOB.interoperable, ALICE.interoperable),
        CompletedPurchase(purchase, licence, ALICE),
        RevokedLicence(other),
        RevokedLicence(licence),
        RefundedPurchase(b"\x0a" * 32, BOB),
    ]
    file = FactFile(None, 4)
    block = BlockFacts(5, 50, tuple(ToldFact("tx", fact) for fact in facts))
    assert file.history(model(1)) == (4, [])
    file.extend(4, [block], at(5))
    assert file.history(model(1)) == (
        5,
        [KnownFact(5, place, 50, "tx", facts[place]) for place in (0, 1, 2, 4, 6)],
    )


def test_only_models_that_are_wanted_are_given_with_all_their_facts() -> None:
    file = FactFile(None, 0)
    mine = (ChangedOwner(model(1), None, ALICE), registered(1), registered(2))
    file.extend(0, [BlockFacts(1, 1, tuple(ToldFact("tx", fact) for fact in mine))], at(1))
    _, found = file.models(lambda each: each.name == "m1")
    assert [each.fact for each in found] == list(mine[:2])


def listed(*facts: ModelFact, final: bool = True):
    (found,) = listings(KnownFact(1, n, 1, "tx", fact, final) for n, fact in enumerate(facts))
    return found


def test_a_listing_has_the_newest_version_and_the_holders_prices() -> None:
    own, sold = ChangedOwner(model(1), None, ALICE), ChangedOwner(model(1), ALICE, BOB)
    first, second = (PublishedVersion(model(1), ALICE, v, b"") for v in ("1.0.0", "2.0.0"))
    set_ = ChangedPrices(
        model(1),
        ALICE,
        (Price(COIN.of(5), ALICE), Price(Asset(THERE, b"token").of(6), Account(THERE, b"a"))),
    )
    found = listed(own, registered(1), first, set_, second)
    assert (found.name, found.publisher, found.versions) == ("m1", ALICE, ["1.0.0", "2.0.0"])
    assert found.prices() == list(set_.prices)
    assert found.final
    withdrawn = ChangedPrices(model(1), ALICE, (Price(COIN.of(5), ALICE, offered=False),))
    assert listed(own, registered(1), set_, withdrawn).prices() == [set_.prices[1]]
    assert listed(own, registered(1), set_, sold).prices() == []
    back = ChangedOwner(model(1), BOB, ALICE)
    assert listed(own, registered(1), set_, sold, back).prices() == list(set_.prices)


def test_a_listing_with_anything_that_is_not_final_is_not() -> None:
    own = KnownFact(1, 0, 1, "tx", ChangedOwner(model(1), None, ALICE))
    new = KnownFact(1, 1, 1, "tx", registered(1))
    priced = ChangedPrices(model(1), ALICE, (Price(COIN.of(5), ALICE),))
    deprecated = DeprecatedVersion(model(1), "1.0.0", "")
    for fact, final in ((priced, False), (deprecated, True)):
        (found,) = listings([own, new, KnownFact(2, 0, 2, "tx", fact, final=False)])
        assert found.final is final
    assert not listed(registered(1), final=False).final
