"""Two hospitals share a model on their Fabric channel, and sell it on an EVM market.

    python examples/two_hospitals/run.py

Real parts, all on this machine: an orderer, two peers and two chaincode processes of Fabric, an EVM
ledger, five validators and custodians, a relayer. It needs `make fabric` once.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent))
from hospitals import NORTH, SOUTH, Hospitals, running_hospitals

from caimi.client import pull, purchase
from caimi.client.context import Context
from caimi.client.inference import ask_worker, open_session
from caimi.client.publish import publish
from caimi.client.verify import verify_receipt
from caimi.composition.joining import join_ledgers
from caimi.composition.sandboxes import sandbox_kind
from caimi.demo.steps import grant
from caimi.demo.subject import Subject, trained_subject
from caimi.demo.world import NAME, World, world_over
from caimi.errors.base import CaimiError
from caimi.inference.batch import ReceiptWriter, anchor_receipts
from caimi.inference.engine import Session
from caimi.inference.onnx_engine import OnnxEngine
from caimi.inference.spread import spread_of
from caimi.inference.verification import PASSED, Evidence
from caimi.inference.worker import Worker
from caimi.ledgers.port import Committee, Sandbox, Signer
from caimi.node.consent import Consent
from caimi.node.serving import LicensedModels
from caimi.node.worker_app import create_worker_app
from caimi.services.endpoint import Endpoint
from caimi.services.workers import HttpWorker
from caimi.uri import ModelUri

PRICE = "5"


@dataclass
class Told:
    """The table: who did what."""

    began: float = field(default_factory=time.monotonic)
    rows: list[tuple[str, str]] = field(default_factory=list)

    def say(self, who: str, what: str) -> None:
        """Add a row, and print it."""
        self.rows.append((who, what))
        print(f"{time.monotonic() - self.began:5.1f} s  {who:<14} {what}", flush=True)


@dataclass(frozen=True)
class Bought:
    """What the buyer holds: the version, opened."""

    uri: str
    session: Session


async def refused(work: Awaitable[object], told: Told, who: str, what: str) -> CaimiError:
    """See that something is refused by an error with a name."""
    try:
        await work
    except CaimiError as error:
        told.say(who, f"{what}: {error.code}, {type(error).__name__}")
        return error
    raise AssertionError(f"{what}: it was not refused")


async def agree(hospitals: Hospitals, told: Told) -> None:
    """Put the chaincode on the channel, and found the ledger on terms of both."""
    other = hospitals.terms(guardian=type(hospitals.admin)())
    await asyncio.gather(
        hospitals.run_chaincode(NORTH, hospitals.terms()), hospitals.run_chaincode(SOUTH, other)
    )
    await hospitals.put_on_channel()
    told.say("both", f"approved and committed the chaincode on {hospitals.place.id}")
    await refused(hospitals.found(), told, "South", "was given other terms, no ledger is founded")
    await hospitals.run_chaincode(SOUTH, hospitals.terms())
    await hospitals.found()
    told.say("both", f"founded the ledger on the terms {hospitals.terms().fingerprint[:12]}…")


async def share(world: World, south: Context, subject: Subject, told: Told) -> str:
    """North publishes, South is granted a licence by its sister and runs the model."""
    published = await publish(
        world.publisher,
        subject.package,
        ledger=world.a.id,
        name=NAME,
        version="1.0.0",
        price=PRICE,
    )
    told.say("North", f"published {NAME} 1.0.0 on Fabric, both endorsed; {PRICE} EUR, or coins")
    uri = published.uri
    await grant(world, uri, south.identity.account(world.a.id))
    pulled = await pull.pull(south, uri, world.folder / "at-south")
    said = subject.judge(open_session(pulled).run(subject.inputs))
    told.say("South", f"was granted a licence, pulled by its own peer and ran it: {said}")
    return uri


async def sell(world: World, uri: str, subject: Subject, told: Told) -> Bought:
    """Somebody on the EVM market buys a licence, whose model is elsewhere."""
    await purchase.buy(world.consumer, uri, ledger=world.b.id)
    pulled = await pull.pull(world.consumer, uri, world.folder / "abroad")
    session = open_session(pulled)
    said = subject.judge(session.run(subject.inputs))
    told.say("buyer", f"paid {PRICE} coins on {world.b.id}, pulled and ran it: {said}")
    return Bought(uri, session)


async def serve(world: World, south: Context, bought: Bought, subject: Subject, told: Told) -> None:
    """South's worker answers the buyer, and anchors its receipt on the channel."""
    engine, home = OnnxEngine(), south.ledgers[world.a.id]
    uri, session = bought.uri, bought.session
    agreed = Consent(south, [str(ModelUri.parse(uri).with_selector(None))])
    worker = Worker(
        engine,
        LicensedModels(south, engine, world.folder / "serving", agreed),
        south.wallet(home.id),
        ReceiptWriter(world.receipts, home.accounts),
        time.time,
    )
    transport = httpx.ASGITransport(app=create_worker_app(worker, world.receipts))  # type: ignore[arg-type]
    endpoint = Endpoint("http://south", transport=transport)
    asked = HttpWorker(endpoint)
    answer = await ask_worker(world.consumer, asked, uri, subject.inputs)
    await anchor_receipts(world.receipts, home, south.identity.signer_on(home.id))
    inclusion = await asked.inclusion(answer.receipt.receipt.digest(home.accounts))
    spread = spread_of(session, subject.inputs)
    evidence = Evidence(inclusion, subject.inputs, answer.outputs, session, spread=spread)
    checked = await verify_receipt(world.consumer, answer.receipt, evidence)
    assert all(check.state == PASSED for check in checked.checks), checked.checks
    await endpoint.aclose()
    told.say("South", "ran it for the buyer; its signed receipt is anchored on the channel")


async def disagree(world: World, hospitals: Hospitals, subject: Subject, told: Told) -> None:
    """What South alone answers otherwise has no effect, and all goes on once it agrees again."""

    async def release() -> None:
        await publish(
            world.publisher, subject.improved, ledger=world.a.id, name=NAME, version="1.1.0"
        )

    await hospitals.disagree(SOUTH)
    await refused(release(), told, "South", "runs other rules, North can publish nothing")
    await hospitals.run_chaincode(SOUTH, hospitals.terms())
    await release()
    told.say("both", "agree again: version 1.1.0 is published, once")


async def play(folder: Path, told: Told) -> None:
    """Tell the whole story."""
    async with AsyncExitStack() as stack:
        hospitals = await stack.enter_async_context(running_hospitals(folder / "channel"))
        told.say("both", "run a peer each, on one channel of one orderer")
        await agree(hospitals, told)

        async def start(
            own: AsyncExitStack, people: Sequence[Signer], committee: Committee
        ) -> Sequence[Sandbox]:
            north = hospitals.ledger_of(NORTH)
            own.push_async_callback(north.aclose)
            channel = await hospitals.sandbox(north, people)
            market = await sandbox_kind("embedded").start(own, 1, people)
            await join_ledgers(channel, market, committee)
            return [channel, market]

        world = await stack.enter_async_context(world_over(start, folder / "world"))
        told.say("both", f"joined the channel to the EVM market {world.b.id}: 3 of 5 attest")
        by_south = hospitals.ledger_of(SOUTH)
        stack.push_async_callback(by_south.aclose)
        south = replace(world.working, ledgers={**world.ledgers, by_south.id: by_south})
        subject = await asyncio.to_thread(trained_subject, "breast-cancer", folder / "model")
        uri = await share(world, south, subject, told)
        bought = await sell(world, uri, subject, told)
        await serve(world, south, bought, subject, told)
        holders = await world.live_holders(ModelUri.parse(uri).model_id)
        assert holders == [world.a.id], holders
        told.say("North", "still owns it: nothing of it moved, on the channel alone it is held")
        await disagree(world, hospitals, subject, told)


def main() -> int:
    """Run it in a folder of its own, which goes with it."""
    told = Told()
    with tempfile.TemporaryDirectory(prefix="caimi-hospitals-") as folder:
        root = Path(folder)
        for name in ("world", "model"):
            (root / name).mkdir()
        try:
            asyncio.run(play(root, told))
        except CaimiError as error:
            print(f"{error.code}: {error} {error.next_step}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
