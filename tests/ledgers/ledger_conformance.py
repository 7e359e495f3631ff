"""What every ledger adapter must do; a subclass gives the `site` to do it on."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from ledger_site import COIN, IMPATIENT, Killed, MemoryOutbox, Site, World

from caimi.errors.ledgers import (
    AlreadyBought,
    AlreadyPublished,
    CallInvalid,
    ContractMissing,
    InsufficientFunds,
    LedgerBehind,
    NotAllowed,
    NotYetFinal,
    PaymentRefused,
    PriceChanged,
    TransactionReverted,
    UnknownModel,
    UnknownVersion,
    WrongLedger,
)
from caimi.ledgers.evm.chain import Chain
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.finality import Depth
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.signer import LocalSigner
from caimi.ledgers.evm.transactions import Patience
from caimi.ledgers.port import AliasChange, Exactly, LedgerId, Price, Publication, PurchaseState
from caimi.merkle import MerkleTree
from contract_wallet import AGREEABLE, MISBEHAVING, WALLET, creation, owned_by

ELSEWHERE = LedgerId("eip155:99999")
FIVE = 5 * COIN // 1000


class LedgerConformance:
    """The shared suite of the ledger port."""

    @pytest.fixture
    async def world(self, site: Site):
        ledger = site.ledger()
        alice, bob = LocalSigner.generate(), LocalSigner.generate()
        for account in (alice, bob):
            await ledger.transfer_coins(account.account, 10 * COIN, site.rich)
        yield World(site, ledger, alice, bob)
        await ledger.aclose()

    # --- the ledger itself ------------------------------------------------------------------------

    async def test_a_deployed_ledger_passes_its_check(self, world: World):
        await world.ledger.check()

    async def test_a_node_of_another_chain_is_refused(self, world: World):
        liar = Chain(world.ledger.chain.rpc, ELSEWHERE, Depth(0))
        elsewhere = Deployment(ELSEWHERE, world.site.deployment.contracts, 0)
        with pytest.raises(WrongLedger, match="not eip155:99999"):
            await EvmLedger(liar, elsewhere).check()

    async def test_a_missing_contract_is_named(self, world: World):
        contracts = {**world.site.deployment.contracts, "market": b"\x77" * 20}
        broken = Deployment(world.ledger.id, contracts, 0)
        with pytest.raises(ContractMissing, match="no market contract"):
            await EvmLedger(world.ledger.chain, broken).check()

    async def test_a_call_for_another_ledger_is_not_signed(self, world: World):
        call = world.ledger.registry.publish("m", "1.0.0", b"\x01" * 32)
        astray = replace(call, ledger=ELSEWHERE)
        with pytest.raises(CallInvalid, match=r"for eip155:99999"):
            await world.ledger.submit(astray, world.alice)

    async def test_blocks_are_chained_by_height_and_time(self, world: World):
        head = await world.ledger.head()
        before = await world.ledger.block(head.height - 1)
        assert before.height == head.height - 1
        assert before.time <= head.time
        assert before.hash != head.hash

    async def test_a_block_above_the_head_is_refused(self, world: World):
        head = await world.ledger.head()
        with pytest.raises(LedgerBehind, match="no block"):
            await world.ledger.block(head.height + 1000)

    async def test_a_depth_policy_holds_back_the_newest_blocks(self, world: World):
        chain = world.site.reach()
        deep = EvmLedger(
            Chain(chain.rpc, chain.ledger, Depth(3)), world.site.deployment, patience=IMPATIENT
        )
        head = await deep.head()
        assert (await deep.finalized()).height == head.height - 3
        waiting = asyncio.create_task(deep.wait_final(head.height))
        for _ in range(3):
            assert not waiting.done()
            await world.mine()
        assert (await waiting).height >= head.height
        await deep.aclose()

    async def test_waiting_for_a_height_that_never_comes_ends(self, world: World):
        hasty = world.site.ledger(Patience(give_up_after=0.1))
        head = await hasty.head()
        with pytest.raises(NotYetFinal):
            await hasty.wait_final(head.height + 50)
        await hasty.aclose()

    # --- models -----------------------------------------------------------------------------------

    async def test_a_published_model_is_found_with_its_version(self, world: World):
        receipt = await world.ledger.submit(
            world.ledger.registry.publish("tumour-mlp", "1.0.0", b"\x11" * 32), world.alice
        )
        model_id = world.ledger.registry.model_id(world.alice.account, "tumour-mlp")
        model = await world.ledger.registry.model(model_id)
        assert (model.name, model.version_count, model.home) == ("tumour-mlp", 1, b"")
        assert model.publisher == model.owner == world.alice.account
        version = await world.ledger.registry.version(model_id, "1.0.0")
        assert version.manifest == b"\x11" * 32
        assert version.published_at == receipt.time
        assert await world.ledger.registry.versions(model_id) == [version]
        listed = await world.ledger.registry.models(receipt.height - 1, receipt.height)
        assert listed == [model]
        assert await world.ledger.registry.models(receipt.height, receipt.height) == []

    async def test_the_same_version_twice_is_refused(self, world: World):
        await world.published()
        again = world.ledger.registry.publish("tumour-mlp", "1.0.0", b"\x22" * 32)
        with pytest.raises(AlreadyPublished) as refusal:
            await world.ledger.submit(again, world.alice)
        assert refusal.value.error == "VersionExists"
        assert await world.sent(world.alice) == 1

    async def test_unknown_models_versions_and_aliases_are_named(self, world: World):
        registry = world.ledger.registry
        with pytest.raises(UnknownModel):
            await registry.model(b"\x01" * 32)
        assert await registry.find(b"\x01" * 32) is None
        model_id = await world.published()
        with pytest.raises(UnknownVersion):
            await registry.version(model_id, "9.9.9")
        assert await registry.alias(model_id, "production") is None

    async def test_an_alias_keeps_its_history_through_a_rollback(self, world: World):
        registry = world.ledger.registry
        model_id = await world.published()
        await world.ledger.submit(
            registry.publish_version(model_id, "1.1.0", b"\x12" * 32), world.alice
        )
        times = []
        for version in ("1.0.0", "1.1.0", "1.0.0"):
            receipt = await world.ledger.submit(
                registry.set_alias(model_id, "production", version), world.alice
            )
            times.append(receipt.time)
            assert await registry.alias(model_id, "production") == version
        assert await registry.alias_history(model_id, "production") == [
            AliasChange(version, time)
            for version, time in zip(("1.0.0", "1.1.0", "1.0.0"), times, strict=True)
        ]

    async def test_only_the_owner_may_change_a_model(self, world: World):
        model_id = await world.published()
        theirs = world.ledger.registry.deprecate(model_id, "1.0.0", "not mine")
        with pytest.raises(NotAllowed):
            await world.ledger.submit(theirs, world.bob)
        await world.ledger.submit(
            world.ledger.registry.deprecate(model_id, "1.0.0", "superseded"), world.alice
        )
        assert (await world.ledger.registry.version(model_id, "1.0.0")).deprecated

    async def test_a_model_changes_hands_and_can_be_entrusted(self, world: World):
        registry = world.ledger.registry
        model_id = await world.published()
        bridge = world.ledger.bridge.account
        await world.ledger.submit(registry.approve(model_id, bridge), world.alice)
        assert await registry.approved(model_id) == bridge
        before = (await world.ledger.head()).height
        await world.ledger.submit(
            registry.transfer(model_id, world.alice.account, world.bob.account), world.alice
        )
        assert (await registry.model(model_id)).owner == world.bob.account
        assert (await registry.model(model_id, Exactly(before))).owner == world.alice.account
        assert await world.ledger.bridge.lock(model_id) is None

    async def test_anyone_publishes_from_a_batch_with_the_publishers_signature(self, world: World):
        registry = world.ledger.registry
        publications = [
            Publication(world.alice.account, f"model-{n}", "1.0.0", bytes([n + 1]) * 32)
            for n in range(3)
        ]
        tree = MerkleTree([registry.publication_leaf(item) for item in publications])
        receipt = await world.ledger.submit(registry.anchor_batch(tree.root, 3), world.bob)
        batch = await registry.batch(receipt.effect)
        assert (batch.root, batch.count, batch.anchorer) == (tree.root, 3, world.bob.account)
        chosen = publications[1]
        signature = world.alice.sign_digest(registry.publication_digest(chosen))
        await world.ledger.submit(
            registry.publish_from_batch(batch.batch_id, chosen, tree.proof(1), signature), world.bob
        )
        model = await registry.model(registry.model_id(world.alice.account, "model-1"))
        assert model.owner == world.alice.account
        forged = world.bob.sign_digest(registry.publication_digest(publications[0]))
        with pytest.raises(TransactionReverted) as refusal:
            await world.ledger.submit(
                registry.publish_from_batch(batch.batch_id, publications[0], tree.proof(0), forged),
                world.bob,
            )
        assert refusal.value.error == "InvalidSignature"

    # --- licences ---------------------------------------------------------------------------------

    async def offered(self, world: World, amount: int = FIVE) -> bytes:
        model_id = await world.published()
        await world.ledger.submit(
            world.ledger.market.set_prices(
                model_id, [Price(world.ledger.id, b"", amount), Price(ELSEWHERE, b"", 7)]
            ),
            world.alice,
        )
        return model_id

    async def test_a_price_holds_per_ledger_until_it_is_withdrawn(self, world: World):
        market = world.ledger.market
        model_id = await self.offered(world)
        assert await market.price(model_id, world.ledger.id) == FIVE
        assert await market.price(model_id, ELSEWHERE) == 7
        assert await market.price(model_id, LedgerId("eip155:5")) is None
        await world.ledger.submit(
            market.set_prices(model_id, [Price(ELSEWHERE, b"", 0, offered=False)]), world.alice
        )
        assert await market.price(model_id, ELSEWHERE) is None

    async def test_a_bought_licence_is_live_and_its_price_is_paid_out(self, world: World):
        market = world.ledger.market
        model_id = await self.offered(world)
        consumer = world.ledger.address_of(world.bob.account)
        assert not (await market.licence(model_id, "1.0.0", consumer)).live
        before = (await world.ledger.head()).height
        receipt = await world.ledger.submit(market.buy(model_id, "1.0.0", b"", FIVE), world.bob)
        licence = await market.licence(model_id, "1.0.0", consumer)
        assert licence.live
        assert licence.granted_at == receipt.time
        assert not (await market.licence(model_id, "1.0.0", consumer, at=Exactly(before))).live
        assert receipt.effect == licence.licence_id
        assert await market.owed(world.alice.account) == FIVE
        held = await world.ledger.balance(world.alice.account)
        paid = await world.ledger.submit(market.withdraw(world.alice.account), world.alice)
        assert await world.ledger.balance(world.alice.account) == held + FIVE - paid.fee
        await world.ledger.submit(market.revoke(licence.licence_id), world.alice)
        assert not (await market.licence(model_id, "1.0.0", consumer)).live

    async def test_buying_twice_is_refused(self, world: World):
        model_id = await self.offered(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", b"", FIVE)
        await world.ledger.submit(buy, world.bob)
        held = await world.ledger.balance(world.bob.account)
        with pytest.raises(AlreadyBought):
            await world.ledger.submit(buy, world.bob)
        assert await world.ledger.balance(world.bob.account) == held

    async def test_a_price_that_changed_since_it_was_quoted_is_named(self, world: World):
        model_id = await self.offered(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", b"", FIVE)
        await world.ledger.submit(
            world.ledger.market.set_prices(model_id, [Price(world.ledger.id, b"", 2 * FIVE)]),
            world.alice,
        )
        with pytest.raises(PriceChanged, match=str(2 * FIVE)):
            await world.ledger.submit(buy, world.bob)

    async def test_a_price_that_changes_after_signing_fails_on_the_ledger_by_name(
        self, world: World
    ):
        model_id = await self.offered(world)
        signed = await world.ledger.sign(
            world.ledger.market.buy(model_id, "1.0.0", b"", FIVE), world.bob
        )
        await world.ledger.submit(
            world.ledger.market.set_prices(model_id, [Price(world.ledger.id, b"", 2 * FIVE)]),
            world.alice,
        )
        with pytest.raises(PriceChanged, match="in transaction") as failure:
            await world.ledger.broadcast(signed)
        assert failure.value.tx == signed.tx

    async def test_a_payment_that_is_not_the_value_is_refused(self, world: World):
        model_id = await self.offered(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", b"", FIVE)
        short = replace(buy, value=FIVE - 1)
        with pytest.raises(PaymentRefused):
            await world.ledger.submit(short, world.bob)

    async def test_an_owner_grants_a_licence_to_a_consumer_elsewhere(self, world: World):
        model_id = await world.published()
        consumer = bytes.fromhex("000100000301869f14") + world.bob.account
        await world.ledger.submit(
            world.ledger.market.grant(model_id, "1.0.0", consumer), world.alice
        )
        assert (await world.ledger.market.licence(model_id, "1.0.0", consumer)).live

    async def test_no_purchase_is_known_before_one_is_made(self, world: World):
        market = world.ledger.market
        assert await market.purchase_of("caimi-1-0", b"\1" * 32, "1.0.0", b"\2" * 20) is None
        assert (await market.purchase(b"\3" * 32)).state is PurchaseState.NONE

    async def test_each_version_has_the_publisher_that_the_ledger_saw(self, world: World):
        registry = world.ledger.registry
        model_id = await world.published()
        assert await registry.publisher_of(model_id, "1.0.0") == world.alice.account
        sold = registry.transfer(model_id, world.alice.account, world.bob.account)
        await world.ledger.submit(sold, world.alice)
        further = registry.publish_version(model_id, "2.0.0", b"\2" * 32)
        await world.ledger.submit(further, world.bob)
        assert await registry.publisher_of(model_id, "2.0.0") == world.bob.account
        assert await registry.publisher_of(model_id, "1.0.0") == world.alice.account
        with pytest.raises(UnknownVersion):
            await registry.publisher_of(model_id, "3.0.0")

    async def test_history_tells_of_versions_aliases_and_licences_in_order(self, world: World):
        model_id = await self.offered(world)
        market, registry = world.ledger.market, world.ledger.registry
        await world.ledger.submit(market.buy(model_id, "1.0.0", b"", FIVE), world.bob)
        consumer = world.ledger.address_of(world.bob.account)
        licence = await market.licence(model_id, "1.0.0", consumer)
        await world.ledger.submit(registry.set_alias(model_id, "stable", "1.0.0"), world.alice)
        await world.ledger.submit(market.revoke(licence.licence_id), world.alice)
        told = await registry.history(model_id)
        assert [entry.what for entry in told] == [
            "transfer",
            "model registered",
            "version published",
            "prices set",
            "licence granted",
            "alias set",
            "licence revoked",
        ]
        assert dict(told[2].details)["version"] == "1.0.0"

    async def test_an_accounts_entries_in_the_log_are_numbered_once_for_ever(self, world: World):
        ledger, log = world.ledger, world.ledger.receipts
        since = (await ledger.head()).height
        for root, who in ((b"\1", world.alice), (b"\2", world.bob), (b"\3", world.alice)):
            await ledger.submit(log.anchor(root * 32, 1), who)
        until = (await ledger.head()).height
        alice, bob = world.alice.account, world.bob.account
        assert await log.entry(alice, 0, since, until) == b"\1" * 32
        assert await log.entry(alice, 1, since, until) == b"\3" * 32
        assert await log.entry(bob, 0, since, until) == b"\2" * 32
        assert await log.entry(bob, 1, since, until) is None
        assert await log.entry(alice, 1, since, until - 1) is None

    # --- contract accounts ------------------------------------------------------------------------

    async def created(self, world: World, code: bytes, owner: bytes = bytes(20)) -> bytes:
        call = creation(world.ledger, code, owner)
        return (await world.ledger.submit(call, world.alice)).effect

    async def test_a_contract_account_takes_its_owners_signature_at_the_height_asked(
        self, world: World
    ):
        ledger, digest = world.ledger, b"\x07" * 32
        before = (await ledger.head()).height
        wallet = await self.created(world, WALLET, world.alice.account)
        made = (await ledger.head()).height
        alices, bobs = (who.sign_digest(digest) for who in (world.alice, world.bob))
        assert await ledger.approves(wallet, digest, alices)
        assert not await ledger.approves(wallet, digest, bobs)
        assert not await ledger.approves(wallet, b"\x08" * 32, alices)
        assert not await ledger.approves(wallet, digest, alices, at=Exactly(before))
        await ledger.submit(owned_by(ledger, wallet, world.bob.account), world.alice)
        assert await ledger.approves(wallet, digest, bobs)
        assert not await ledger.approves(wallet, digest, alices)
        assert await ledger.approves(wallet, digest, alices, at=Exactly(made))

    async def test_whatever_a_contract_does_but_say_yes_is_no(self, world: World):
        digest = b"\x07" * 32
        signature = world.alice.sign_digest(digest)
        agreeable = await self.created(world, AGREEABLE)
        assert await world.ledger.approves(agreeable, digest, b"")
        assert await world.ledger.approves(agreeable, digest, bytes(4_096))
        assert not await world.ledger.approves(world.alice.account, digest, signature)
        for code in MISBEHAVING.values():
            contract = await self.created(world, code)
            assert not await world.ledger.approves(contract, digest, signature)

    # --- receipts ---------------------------------------------------------------------------------

    async def test_anchored_receipts_are_known_with_their_time(self, world: World):
        log = world.ledger.receipts
        assert await log.anchored(world.bob.account, b"\x09" * 32) is None
        receipt = await world.ledger.submit(log.anchor(b"\x09" * 32, 12), world.bob)
        assert await log.anchored(world.bob.account, b"\x09" * 32) == receipt.time
        assert await log.anchored(world.alice.account, b"\x09" * 32) is None

    # --- transactions -----------------------------------------------------------------------------

    async def test_an_account_without_funds_is_told_how_much_is_missing(self, world: World):
        poor = LocalSigner.generate()
        await world.ledger.transfer_coins(poor.account, 1000, world.alice)
        with pytest.raises(InsufficientFunds, match="wei are missing") as refusal:
            await world.ledger.transfer_coins(world.bob.account, 5000, poor)
        assert "has 1000 wei" in refusal.value.what
        call = world.ledger.registry.publish("m", "1.0.0", b"\x01" * 32)
        with pytest.raises(InsufficientFunds, match="wei are missing"):
            await world.ledger.submit(call, poor)

    async def test_a_receipt_tells_work_fee_and_time(self, world: World):
        held = await world.ledger.balance(world.bob.account)
        receipt = await world.ledger.transfer_coins(world.alice.account, 5, world.bob)
        assert receipt.work == 21_000
        assert await world.ledger.balance(world.bob.account) == held - receipt.fee - 5
        assert receipt.time == (await world.ledger.block(receipt.height)).time

    async def test_twenty_senders_of_one_account_use_twenty_nonces(self, world: World):
        calls = [
            world.ledger.registry.publish(f"model-{n}", "1.0.0", b"\x01" * 32) for n in range(20)
        ]
        receipts = await asyncio.gather(*(world.ledger.submit(c, world.alice) for c in calls))
        assert len({receipt.tx for receipt in receipts}) == 20
        assert await world.sent(world.alice) == 20

    async def test_a_refused_call_leaves_no_gap_behind(self, world: World):
        await world.published()
        calls = [
            world.ledger.registry.publish(name, "1.0.0", b"\x01" * 32)
            for name in ("one", "tumour-mlp", "two")
        ]
        results = await asyncio.gather(
            *(world.ledger.submit(c, world.alice) for c in calls), return_exceptions=True
        )
        assert [isinstance(r, AlreadyPublished) for r in results] == [False, True, False]
        assert await world.sent(world.alice) == 3

    async def test_killed_between_record_and_broadcast_it_is_sent_once(self, world: World):
        outbox = MemoryOutbox(die_after_record=True)
        call = world.ledger.registry.publish("m", "1.0.0", b"\x01" * 32)
        with pytest.raises(Killed):
            await world.ledger.submit(call, world.alice, outbox=outbox, key="publish")
        assert await world.sent(world.alice) == 0
        again = world.site.ledger()
        receipt = await again.submit(call, world.alice, outbox=outbox, key="publish")
        assert receipt.tx == outbox.entries["publish"].tx
        assert await world.sent(world.alice) == 1
        await again.aclose()

    async def test_killed_after_broadcast_it_is_found_and_not_sent_again(self, world: World):
        outbox = MemoryOutbox()
        call = world.ledger.registry.publish("m", "1.0.0", b"\x01" * 32)
        signed = await world.ledger.sign(call, world.alice)
        await outbox.record("publish", signed)
        await world.ledger.chain.rpc.ask("eth_sendRawTransaction", f"0x{signed.raw.hex()}")
        for _ in range(2):
            again = world.site.ledger()
            receipt = await again.submit(call, world.alice, outbox=outbox, key="publish")
            assert receipt.tx == signed.tx
            await again.aclose()
        assert await world.sent(world.alice) == 1
        assert set(outbox.entries) == {"publish"}

    async def test_one_key_submitted_at_once_by_many_is_one_transaction(self, world: World):
        outbox = MemoryOutbox()
        call = world.ledger.registry.publish("m", "1.0.0", b"\x01" * 32)
        receipts = await asyncio.gather(
            *(world.ledger.submit(call, world.alice, outbox=outbox, key="k") for _ in range(5))
        )
        assert len({receipt.tx for receipt in receipts}) == 1
        assert await world.sent(world.alice) == 1

    async def test_a_displaced_transaction_is_made_anew_once_it_is_dead(self, world: World):
        outbox = MemoryOutbox(die_after_record=True)
        call = world.ledger.registry.publish("m", "1.0.0", b"\x01" * 32)
        with pytest.raises(Killed):
            await world.ledger.submit(call, world.alice, outbox=outbox, key="publish")
        again = world.site.ledger()
        await again.transfer_coins(world.bob.account, 1, world.alice)
        receipt = await again.submit(call, world.alice, outbox=outbox, key="publish")
        assert set(outbox.entries) == {"publish", "publish#1"}
        assert receipt.tx == outbox.entries["publish#1"].tx
        assert await world.sent(world.alice) == 2
        model_id = world.ledger.registry.model_id(world.alice.account, "m")
        assert (await again.registry.model(model_id)).version_count == 1
        await again.aclose()

    async def test_a_failed_transaction_is_made_anew_once_it_is_final(self, world: World):
        outbox = MemoryOutbox()
        model_id = await self.offered(world)
        market = world.ledger.market
        buy = market.buy(model_id, "1.0.0", b"", FIVE)
        signed = await world.ledger.sign(buy, world.bob)
        await outbox.record("buy", signed)
        for amount in (2 * FIVE, FIVE):
            await world.ledger.submit(
                market.set_prices(model_id, [Price(world.ledger.id, b"", amount)]), world.alice
            )
            if amount != FIVE:
                with pytest.raises(PriceChanged):
                    await world.ledger.submit(buy, world.bob, outbox=outbox, key="buy")
        receipt = await world.ledger.submit(buy, world.bob, outbox=outbox, key="buy")
        assert receipt.tx == outbox.entries["buy#1"].tx
        assert await market.owed(world.alice.account) == FIVE

    async def test_a_damaged_record_is_refused(self, world: World):
        outbox = MemoryOutbox()
        call = world.ledger.registry.publish("m", "1.0.0", b"\x01" * 32)
        signed = await world.ledger.sign(call, world.alice)
        spoilt = signed.raw[:-1] + bytes([signed.raw[-1] ^ 1])
        await outbox.record("k", type(signed)(signed.ledger, signed.what, signed.tx, spoilt))
        with pytest.raises(CallInvalid, match="damaged"):
            await world.ledger.submit(call, world.alice, outbox=outbox, key="k")
