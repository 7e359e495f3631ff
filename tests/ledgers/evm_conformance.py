"""What EVM ledgers do besides the port's suite: wei, nonces, contract accounts, raw calls."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conformance.facet import Facet
from conformance.site import MemoryOutbox, World
from ledger_site import COIN

from caimi.errors.ledgers import (
    AlreadyPublished,
    CallInvalid,
    ContractMissing,
    InsufficientFunds,
    PaymentRefused,
    TokenUnusable,
    TransactionReverted,
    WrongLedger,
)
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.rpc.chain import Chain
from caimi.ledgers.evm.rpc.finality import Depth
from caimi.ledgers.port import (
    Account,
    Asset,
    ChangedAlias,
    ChangedOwner,
    ChangedPrices,
    Exactly,
    GrantedLicence,
    LedgerId,
    Price,
    Publication,
    PublishedVersion,
    RegisteredModel,
    RevokedLicence,
)
from caimi.ledgers.publications import publication_leaf, publication_statement
from caimi.merkle import MerkleTree
from contract_wallet import AGREEABLE, MISBEHAVING, WALLET, creation, owned_by
from token_contracts import make_token

ELSEWHERE = LedgerId("eip155:99999")
FIVE = 5 * COIN // 1000


class EvmConformance(Facet):
    """The part of the suite that is for EVM ledgers alone."""

    async def test_a_token_is_read_allowed_and_paid(self, world: World):
        ledger, tokens, alice = world.ledger, world.ledger.tokens, world.account(world.alice)
        token = await make_token(ledger, world.alice)
        asset = token.asset
        assert (asset.symbol, asset.decimals) == ("EURX", 6)
        await token.do("mint", world.alice.account, 10)
        assert await tokens.balance(alice, asset) == asset.of(10)
        market, model_id = ledger.market, await world.published()
        seller = world.account(world.bob)
        priced = market.set_prices(model_id, [Price(asset.of(7), seller)])
        await ledger.submit(priced, world.alice)
        buying = market.buy(model_id, "1.0.0", asset.of(7))
        with pytest.raises(TransactionReverted):
            await ledger.submit(buying, world.alice)
        await ledger.submit(tokens.allow(asset.of(7)), world.alice)
        assert await tokens.allowed(alice, asset) == asset.of(7)
        await ledger.submit(buying, world.alice)
        assert await tokens.allowed(alice, asset) == asset.of(0)
        assert await market.owed(seller, asset) == asset.of(7)
        await ledger.submit(market.withdraw(seller, asset), world.bob)
        assert await tokens.balance(seller, asset) == asset.of(7)

    async def test_what_is_no_token_is_named(self, world: World):
        ledger, me = world.ledger, world.account(world.alice)
        for code in (*MISBEHAVING.values(), AGREEABLE, b""):
            address = b"\x77" * 20
            if code:
                address = (await ledger.submit(creation(ledger, code), world.alice)).effect
            no_token = Asset(ledger.id, address)
            with pytest.raises(TokenUnusable):
                await ledger.tokens.described(no_token)
            with pytest.raises(TokenUnusable):
                await ledger.tokens.balance(me, replace(no_token, native=b"\x77" * 20))
        for asset in (world.coin, Asset(ELSEWHERE, b"\x77" * 20), Asset(ledger.id, b"\x77")):
            with pytest.raises(CallInvalid):
                await ledger.tokens.described(asset)
            with pytest.raises(CallInvalid):
                ledger.tokens.allow(asset.of(1))

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

    async def test_refusals_bear_the_contracts_own_names(self, world: World):
        registry = world.ledger.registry
        await world.published()
        again = registry.publish("tumour-mlp", "1.0.0", b"\x22" * 32)
        with pytest.raises(AlreadyPublished) as refusal:
            await world.ledger.submit(again, world.alice)
        assert refusal.value.error == "VersionExists"
        chosen = Publication(world.account(world.alice), "other", "1.0.0", b"\1" * 32)
        model_id = registry.model_id(chosen.publisher, chosen.name)
        tree = MerkleTree([publication_leaf(chosen, model_id)])
        batch = await world.ledger.submit(registry.anchor_batch(tree.root, 1), world.bob)
        wallet = world.ledger.accounts.wallet(world.bob)
        forged = wallet.sign_statement(publication_statement(chosen, model_id))
        call = registry.publish_from_batch(batch.effect, chosen, tree.proof(0), forged)
        with pytest.raises(TransactionReverted) as refusal:
            await world.ledger.submit(call, world.bob)
        assert refusal.value.error == "InvalidSignature"

    async def on_offer(self, world: World, amount: int = FIVE) -> bytes:
        model_id = await world.published()
        await world.ledger.submit(
            world.ledger.market.set_prices(
                model_id,
                [
                    Price(world.coin.of(amount), world.account(world.alice)),
                    Price(Asset(ELSEWHERE, b"").of(7), Account(ELSEWHERE, b"\1" * 20)),
                ],
            ),
            world.alice,
        )
        return model_id

    async def test_a_payment_that_is_not_the_value_is_refused(self, world: World):
        model_id = await self.on_offer(world)
        buy = world.ledger.market.buy(model_id, "1.0.0", world.coin.of(FIVE))
        short = replace(buy, value=FIVE - 1)
        with pytest.raises(PaymentRefused):
            await world.ledger.submit(short, world.bob)

    async def test_history_tells_of_prices_as_well(self, world: World):
        model_id = await self.on_offer(world)
        market, registry = world.ledger.market, world.ledger.registry
        await world.ledger.submit(market.buy(model_id, "1.0.0", world.coin.of(FIVE)), world.bob)
        consumer = world.account(world.bob)
        licence = await market.licence(model_id, "1.0.0", consumer)
        await world.ledger.submit(registry.set_alias(model_id, "stable", "1.0.0"), world.alice)
        await world.ledger.submit(market.revoke(licence.licence_id), world.alice)
        told = await registry.history(model_id)
        assert [type(entry.fact) for entry in told] == [
            ChangedOwner,
            RegisteredModel,
            PublishedVersion,
            ChangedPrices,
            GrantedLicence,
            ChangedAlias,
            RevokedLicence,
        ]
        assert told[2].fact.version == "1.0.0"

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
        assert await ledger.contract_accounts.approves(Account(ledger.id, wallet), digest, alices)
        assert not await ledger.contract_accounts.approves(Account(ledger.id, wallet), digest, bobs)
        assert not await ledger.contract_accounts.approves(
            Account(ledger.id, wallet), b"\x08" * 32, alices
        )
        assert not await ledger.contract_accounts.approves(
            Account(ledger.id, wallet), digest, alices, at=Exactly(before)
        )
        await ledger.submit(owned_by(ledger, wallet, world.bob.account), world.alice)
        assert await ledger.contract_accounts.approves(Account(ledger.id, wallet), digest, bobs)
        assert not await ledger.contract_accounts.approves(
            Account(ledger.id, wallet), digest, alices
        )
        assert await ledger.contract_accounts.approves(
            Account(ledger.id, wallet), digest, alices, at=Exactly(made)
        )

    async def test_whatever_a_contract_does_but_say_yes_is_no(self, world: World):
        digest = b"\x07" * 32
        signature = world.alice.sign_digest(digest)
        agreeable = await self.created(world, AGREEABLE)
        assert await world.ledger.contract_accounts.approves(
            Account(world.ledger.id, agreeable), digest, b""
        )
        assert await world.ledger.contract_accounts.approves(
            Account(world.ledger.id, agreeable), digest, bytes(4_096)
        )
        assert not await world.ledger.contract_accounts.approves(
            world.account(world.alice), digest, signature
        )
        for code in MISBEHAVING.values():
            contract = await self.created(world, code)
            assert not await world.ledger.contract_accounts.approves(
                Account(world.ledger.id, contract), digest, signature
            )

    async def test_an_account_without_funds_is_told_how_much_is_missing(self, world: World):
        poor = LocalSigner.generate()
        await world.ledger.submit(
            world.ledger.coins.transfer(
                Account(world.ledger.id, poor.account), world.ledger.coins.asset.of(1000)
            ),
            world.alice,
        )
        with pytest.raises(InsufficientFunds, match="wei are missing") as refusal:
            await world.ledger.submit(
                world.ledger.coins.transfer(
                    world.account(world.bob), world.ledger.coins.asset.of(5000)
                ),
                poor,
            )
        assert "has 1000 wei" in refusal.value.what
        call = world.ledger.registry.publish("m", "1.0.0", b"\x01" * 32)
        with pytest.raises(InsufficientFunds, match="wei are missing"):
            await world.ledger.submit(call, poor)

    async def test_a_receipt_tells_work_fee_and_time(self, world: World):
        held = (await world.ledger.coins.balance(world.account(world.bob))).units
        receipt = await world.ledger.submit(
            world.ledger.coins.transfer(world.account(world.alice), world.ledger.coins.asset.of(5)),
            world.bob,
        )
        assert receipt.work == 21_000
        assert (
            await world.ledger.coins.balance(world.account(world.bob))
        ).units == held - receipt.fee.units - 5
        assert receipt.time == (await world.ledger.block(receipt.height)).time

    async def test_a_raw_transaction_sent_behind_its_back_is_found(self, world: World):
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
        assert await world.site.sent(world.alice) == 1
        assert set(outbox.entries) == {"publish"}
