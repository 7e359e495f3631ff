"""The seven steps, over whatever ledgers the world is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from caimi.client import aliases, catalogue, pull, purchase, transfer
from caimi.client.amounts import parse_amount, said
from caimi.client.inference import ask_worker, onnx_file, open_session
from caimi.client.publish import Description, Published, publish
from caimi.client.pull import Pulled
from caimi.client.resolve import fetch_manifest, resolve
from caimi.client.verify import verify_receipt, verify_version
from caimi.client.voyage import follow
from caimi.custody.unlock import CustodianClient, Status
from caimi.demo.adversaries import Absent, Corrupting
from caimi.demo.forgery import offer_forged_proof
from caimi.demo.report import DemoStep, Report, refused, require
from caimi.demo.reproducing import nearness, reproduce
from caimi.demo.subject import Subject
from caimi.demo.world import NAME, World
from caimi.errors.custody import NotEnoughShares
from caimi.errors.ledgers import NotOffered
from caimi.errors.operations import NotForSale, TransferRefunded
from caimi.inference.batch import anchor_receipts
from caimi.inference.spread import spread_of
from caimi.inference.verification import FAILED, PASSED, Evidence
from caimi.ledgers.port import Account, Done, Ledger, LedgerId, offered
from caimi.uri import ModelUri

PRICE = "5"
ALIAS = "production"


async def run_steps(world: World, subject: Subject, report: Report) -> None:
    """Prove everything, in order.

    Raises:
        DemoFailed, or whatever went wrong: the demonstration ends there.
    """
    show_network(world, report)
    published = await publish_model(world, subject, report)
    uri = published.uri
    await license_from_another_ledger(world, uri, report)
    await unlock_with_a_threshold(world, uri, report)
    await run_and_check(world, subject, uri, report)
    await move_ownership(world, uri, report)
    await release_and_roll_back(world, subject, published, report)


def show_network(world: World, report: Report) -> None:
    """Step 1: three ledgers, five validators that are also custodians, a key nobody holds."""
    with report.step("1 network", ", ".join(world.names)) as step:
        group = world.group
        require(len(world.ledgers) == 3, "There are not three ledgers.")
        require(len(world.nodes) == 5, "There are not five nodes.")
        step.prove(
            f"{len(world.ledgers)} ledgers with chain ids {', '.join(world.names)}; "
            f"{group.total} validators made key 0x{group.public_key.to_bytes().hex()[:8]}… by DKG, "
            f"any {group.threshold} open, no one holds it"
        )


async def publish_model(world: World, subject: Subject, report: Report) -> Published:
    """Step 2: sign, seal, store, publish on ledger A."""
    with report.step("2 publish", world.a.id) as step:
        published = await publish(
            world.publisher,
            subject.package,
            ledger=world.a.id,
            name=NAME,
            version="1.0.0",
            price=PRICE if any(each.coins for each in (world.a, world.b, world.c)) else None,
            description=Description(
                datasets=subject.datasets, metrics=subject.metrics, card=subject.card
            ),
        )
        checked = await verify_version(world.publisher, published.uri, None)
        require(checked.ok, f"The published version does not verify: {checked.checks}")
        require(
            not await world.store_holds(subject.model_bytes),
            "The store holds plain weights.",
        )
        step.prove(
            f"{published.uri} names manifest {published.manifest[:16]}…; "
            "only sealed chunks are in the store",
            tx=published.tx,
        )
    return published


async def license_from_another_ledger(world: World, uri: str, report: Report) -> None:
    """Step 3: find it from ledger B, pay there or be granted it, and have the licence on A."""
    with report.step("3 find", world.b.id) as step:
        found = await catalogue.search(world.consumer, "demo")
        require(len(found) == 1, f"The search found {len(found)} models.")
        asked = {each.ledger: each.amount for each in found[0].prices}
        price = asked.get(world.b.id)
        require(price == (PRICE if sells(world) else None), f"The model costs {price} on B.")
        terms = f"for {price}" if price else "for no money: its publisher grants licences"
        step.prove(f"the consumer on {world.b.id} sees {found[0].name} {found[0].latest} {terms}")
    with report.step("3 no key yet", world.a.id) as step:
        refusal = await refused(
            pull.pull(world.consumer, uri, world.folder / "unlicensed"), NotEnoughShares
        )
        step.prove(f"without a licence every custodian refuses ({refusal.code})")
    with report.step("3 license", f"{world.b.id} → {world.a.id}") as step:
        await (buy_a_licence if sells(world) else be_granted_a_licence)(world, uri, step)
    if sells(world):
        with report.step("3 forgery", world.a.id) as step:
            await forge(world, world.b, world.a, step)


def sells(world: World) -> bool:
    """Tell whether the model is sold to the consumer, or granted where nothing can be paid."""
    return world.b.coins is not None


async def buy_a_licence(world: World, uri: str, step: DemoStep) -> None:
    """Pay on B, and have the licence proved to A."""
    buyer = world.consumer.identity.account(world.b.id)
    coins = offered(world.b.coins, world.b.id, "coin")
    before = await coins.balance(buyer)
    bought = await purchase.buy(world.consumer, uri, ledger=world.b.id)
    paid = before - await coins.balance(buyer)
    seller = world.publisher.identity.account(world.b.id)
    owed = await world.b.market.owed(seller)
    require(
        owed == parse_amount(PRICE, coins.asset), f"The publisher is owed {owed}, not the price."
    )
    require(paid >= owed, "The consumer paid less than the price.")
    step.prove(
        f"licence {bought.licence_id[:18]}… is on {world.a.id}: one IBC v2 packet, proved by "
        "3 of 5 signatures and a Merkle path, acknowledged back; the publisher is owed "
        f"{said(owed)} on {world.b.id}",
        tx=bought.tx,
    )


async def be_granted_a_licence(world: World, uri: str, step: DemoStep) -> None:
    """Find that nothing can be paid, and have the publisher grant a licence to B's account."""
    refusal = await refused(
        purchase.buy(world.consumer, uri, ledger=world.b.id), NotOffered, NotForSale
    )
    consumer = world.consumer.identity.account(world.b.id)
    done = await grant(world, uri, consumer)
    step.prove(
        f"no coin on {world.b.id}: paying is refused ({refusal.code}), and the publisher granted "
        f"licence 0x{done.effect.hex()[:16]}… on {world.a.id} to {world.consumer.name(consumer)}",
        tx=done.tx,
    )


async def grant(world: World, uri: str, consumer: Account) -> Done[bytes]:
    """Have the publisher grant a licence on A to an account of any ledger."""
    model = ModelUri.parse(uri)
    call = world.a.market.grant(model.model_id, "1.0.0", consumer)
    done = await world.a.submit(call, world.publisher.identity.signer_on(world.a.id))
    licence = await world.a.market.licence(model.model_id, "1.0.0", consumer)
    require(licence.live and licence.licence_id == done.effect, "The licence was not granted.")
    return done


async def forge(world: World, source: Ledger, destination: Ledger, step: DemoStep) -> None:
    """Offer the newest packet between two ledgers again, with one bit of its proof changed."""
    route = await world.consumer.route(source.id, destination.id)
    signer = world.consumer.identity.signer_on(destination.id)
    said = await offer_forged_proof(source, destination, route, world.validators, signer)
    step.prove(f"the same packet, one bit of its proof changed, is refused: {said}")


async def unlock_with_a_threshold(world: World, uri: str, report: Report) -> None:
    """Step 4: shares checked on each custodian's own view; absent and corrupt custodians."""
    clients = list(world.consumer.custodians)

    async def unlocked(custodians: Sequence[CustodianClient]) -> pull.Unlocked:
        context = replace(world.consumer, custodians=custodians)
        resolved = await resolve(context, uri)
        manifest = await fetch_manifest(context, resolved)
        consumer = await pull.licensed_account(context, resolved)
        return await pull.unlock_version(context, resolved, manifest, consumer)

    with report.step("4 two absent", world.a.id) as step:
        result = await unlocked([*clients[:3], *map(Absent, clients[3:])])
        shared = [o.index for o in result.outcomes if o.status is Status.SHARED]
        step.prove(f"custodians {shared} gave verified shares; 4 and 5 were down; the key opened")
    with report.step("4 three absent", world.a.id) as step:
        error = await refused(unlocked([*clients[:2], *map(Absent, clients[2:])]), NotEnoughShares)
        step.prove(f"refused with {error.code}: 2 of the 3 shares needed")
    with report.step("4 one corrupt", world.a.id) as step:
        liar = Corrupting(world.nodes[0].custodian().key_share, world.nodes[0].signer)
        result = await unlocked([liar, *clients[1:4]])
        named = [o for o in result.outcomes if o.status is Status.CORRUPTED]
        require(
            [o.index for o in named] == [liar.index],
            f"The corrupt custodian was not named: {result.outcomes}",
        )
        evidence = named[0].evidence
        require(
            evidence is not None and evidence.shows(liar.account),
            "The wrong share cannot be held against the custodian that signed it.",
        )
        step.prove(
            f"custodian {liar.index}'s corrupted share was found, named, and is evidence against "
            "it; the key opened"
        )


async def run_and_check(world: World, subject: Subject, uri: str, report: Report) -> None:
    """Step 5: pull, run, and compare with a worker's signed answer."""
    with report.step("5 pull and run", world.b.id) as step:
        pulled = await pull.pull(world.consumer, uri, world.folder / "pulled")
        session = open_session(pulled)
        outputs = session.run(subject.inputs)
        said = subject.judge(outputs)
        step.prove(f"every hash and the signature hold; ONNX Runtime: {said}")
    with report.step("5 same bits", world.b.id) as step:
        await asyncio.to_thread(reproduce, onnx_file(pulled), subject.inputs, outputs, step)
    with report.step("5 worker", world.b.id) as step:
        if world.a.coins is not None:
            await purchase.buy(world.working, uri, ledger=world.a.id)
        else:
            await grant(world, uri, world.working.identity.account(world.a.id))
        answer = await ask_worker(world.consumer, world.worker, uri, subject.inputs)
        near = await asyncio.to_thread(
            nearness, answer.outputs, outputs, onnx_file(pulled), subject.inputs
        )
        anchoring = await anchor_receipts(
            world.receipts, world.a, world.working.identity.signer_on(world.a.id)
        )
        require(anchoring is not None, "There was no receipt to anchor.")
        inclusion = await world.worker.inclusion(answer.receipt.receipt.digest(world.a.accounts))
        spread = spread_of(session, subject.inputs)
        evidence = Evidence(inclusion, subject.inputs, answer.outputs, session, spread=spread)
        checked = await verify_receipt(world.consumer, answer.receipt, evidence)
        require(
            all(check.state == PASSED for check in checked.checks),
            f"The receipt does not verify: {checked.checks}",
        )
        step.prove(
            f"{near}, with a receipt signed by the worker "
            f"({answer.receipt.receipt.worker}) and anchored in a batch",
            tx=anchoring.tx if anchoring else "",
        )
    with report.step("5 forged receipt", world.a.id) as step:
        true = answer.receipt.receipt
        flipped = bytes([true.output_hash[0] ^ 1]) + true.output_hash[1:]
        forged = replace(answer.receipt, receipt=replace(true, output_hash=flipped))
        checked = await verify_receipt(world.consumer, forged, evidence)
        failed = [check.name for check in checked.checks if check.state == FAILED]
        require("signed by its worker" in failed, "A forged receipt was accepted.")
        step.prove(f"a receipt with one bit changed fails: {', '.join(failed)}")
    await _check_files(world, uri, pulled)


async def _check_files(world: World, uri: str, pulled: Pulled) -> None:
    checked = await verify_version(world.consumer, uri, pulled.directory)
    require(checked.ok, f"The pulled files do not verify: {checked.checks}")


async def move_ownership(world: World, uri: str, report: Report) -> None:
    """Step 6: A to C and back, and a transfer that times out."""
    model = ModelUri.parse(uri).with_selector(None)
    identity = world.publisher.identity

    async def move(to: LedgerId) -> transfer.Transferred:
        account = identity.account(to)
        done = await transfer.transfer(world.publisher, model, to=to, recipient=account)
        voyage = await follow(world.publisher, model)
        held = voyage.last
        require(held.ledger == to and held.owner == account, f"{model} is not on {to}.")
        require(await world.live_holders(model.model_id) == [to], "There is not one live holder.")
        return done

    with report.step("6 move", f"{world.a.id} → {world.c.id}") as step:
        done = await move(world.c.id)
        step.prove("locked on A, minted on C, acknowledged; C alone holds it", tx=done.tx)
    if not sells(world):  # no packet has gone before
        with report.step("6 forgery", world.c.id) as step:
            await forge(world, world.a, world.c, step)
    with report.step("6 move back", f"{world.c.id} → {world.a.id}") as step:
        done = await move(world.a.id)
        step.prove("burnt on C, unlocked on A; A alone holds it", tx=done.tx)
    with report.step("6 time out", f"{world.a.id} → {world.c.id}") as step:
        stalled = replace(world.publisher, carry=lambda: world.carry_late(world.c, 61))
        await refused(
            transfer.transfer(
                stalled,
                model,
                to=world.c.id,
                recipient=identity.account(world.c.id),
                timeout_seconds=60,
            ),
            TransferRefunded,
        )
        require(await world.live_holders(model.model_id) == [world.a.id], "The refund is missing.")
        tx = world.last_timeout
        step.prove("never delivered; its absence on C proved to A, which gave it back", tx=tx)


async def release_and_roll_back(
    world: World, subject: Subject, first: Published, report: Report
) -> None:
    """Step 7: version 1.1, the alias moved and rolled back, history intact."""
    with report.step("7 version 1.1.0", world.a.id) as step:
        await aliases.set_alias(world.publisher, first.uri, ALIAS)
        second = await publish(
            world.publisher,
            subject.improved,
            ledger=world.a.id,
            name=NAME,
            version="1.1.0",
            description=Description(
                datasets=subject.datasets, metrics=subject.metrics, card=subject.card
            ),
        )
        resolved = await resolve(world.publisher, second.uri)
        manifest = await fetch_manifest(world.publisher, resolved)
        require(
            manifest.parents == (bytes.fromhex(first.manifest),), "1.1.0 does not follow 1.0.0."
        )
        step.prove("published with 1.0.0 as its parent", tx=second.tx)
    with report.step("7 roll back", world.a.id) as step:
        await aliases.set_alias(world.publisher, second.uri, ALIAS)
        receipt = await aliases.set_alias(world.publisher, first.uri, ALIAS)
        changes = await aliases.alias_history(world.publisher, first.uri, ALIAS)
        seen = [change.version for change in changes]
        require(seen == ["1.0.0", "1.1.0", "1.0.0"], f"The history of the alias is {seen}.")
        step.prove(f"{ALIAS}: {' → '.join(seen)}, nothing overwritten", tx=receipt.tx)
