"""A deployment that is audited: what differs from what is shipped is named, and costs are known."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from governed_ledger import DEPLOYER, STRANGER, new_ledger

from caimi.composition.joining import join_ledgers
from caimi.errors.deploying import RouteUnfit
from caimi.errors.ledgers import LedgerBehind, TransactionReverted
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.abi.calls import contract_creation
from caimi.ledgers.evm.abi.interface import encode
from caimi.ledgers.evm.administration.administering import EvmAdministered, EvmAdministration
from caimi.ledgers.evm.administration.auditing import audit, is_gone
from caimi.ledgers.evm.administration.deploying import BRIDGE_ROLE, EXIT_DELAY, KINDS
from caimi.ledgers.evm.administration.planning import deployment_steps, plan_steps
from caimi.ledgers.evm.administration.roles import authority_of
from caimi.ledgers.evm.administration.route_clients import WINDOWS
from caimi.ledgers.evm.administration.shipped_code import shipped_code
from caimi.ledgers.evm.artifacts import CONTRACTS, artifact
from caimi.ledgers.evm.deployment import Deployment
from caimi.ledgers.evm.facets.market import ledger_address
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.transactions.sender import Sender
from caimi.ledgers.port import (
    COMMITTEE,
    ENDORSED_READS,
    OPTIMISTIC,
    STORAGE_PROOF,
    ClientTerms,
    Committee,
    ReadEndorsers,
    RouteEnd,
)
from caimi.messaging.checkpoint import make_committee

ALL = ClientTerms(
    (COMMITTEE, STORAGE_PROOF, OPTIMISTIC), 2, bond=10**15, proposers=(STRANGER.account,)
)

KEYS = [
    bytes.fromhex(part[2:])
    for part in json.loads(
        (Path(__file__).parents[2] / "contracts" / "vectors" / "fabric_reads.json").read_text()
    )["keys"]
]
READERS = ReadEndorsers("ours", "caimi", 2, ((KEYS[0], KEYS[1]), (KEYS[2], KEYS[3])), b"\0\1")
READS = ClientTerms((ENDORSED_READS,), endorsers=READERS)
BOTH = ClientTerms((COMMITTEE, ENDORSED_READS), endorsers=READERS)


def moved(ledger: EvmLedger, **contracts: bytes) -> EvmLedger:
    """The same ledger with other addresses in its configuration."""
    known = ledger.deployment
    places = {**known.contracts, **contracts}
    return EvmLedger(ledger.chain, Deployment(known.ledger, places, known.deployed_at))


async def created(ledger: EvmLedger, kind: str, *values: object) -> bytes:
    contract = artifact(kind)
    code = contract.bytecode + encode(contract.interface.constructor, values)
    return (await ledger.submit(contract_creation(ledger.id, kind, code), DEPLOYER)).effect


def committee(size: int = 5) -> Committee:
    members = [LocalSigner.generate().account for _ in range(size)]
    return make_committee(0, size // 2 + 1, members)


async def test_what_a_deployment_leaves_is_what_is_shipped() -> None:
    assert await audit(await new_ledger()) == []


@pytest.mark.parametrize("kind", [*CONTRACTS, "MessagePort"])
def test_the_code_that_stays_is_found_in_every_contract(kind: str) -> None:
    code = shipped_code(kind)
    assert code.code in artifact(kind).bytecode
    assert code.immutables(code.code) == {*([bytes(32)] if code.places else [])}
    assert code.immutables(code.code[:-1]) is None
    assert code.immutables(code.code[:5] + b"\xfe" + code.code[6:]) is None


async def test_other_code_and_no_code_are_named() -> None:
    ledger = await new_ledger()
    at = ledger.deployment.contracts
    wrong, *_ = await audit(moved(ledger, registry=at["gateway"]))
    assert wrong == (
        f"the code of registry at 0x{at['gateway'].hex()} is not this version's ModelRegistry"
    )
    (wrong,) = await audit(moved(ledger, fees=b"\x11" * 20))
    assert wrong == f"there is no code of fees at 0x{'11' * 20}"


async def test_a_deployment_is_gone_only_when_all_of_it_is_and_finally() -> None:
    ledger = await new_ledger()
    known = ledger.deployment
    nowhere = {name: bytes([at]) * 20 for at, name in enumerate(known.contracts, start=1)}
    assert not await is_gone(ledger)
    assert await is_gone(moved(ledger, **nowhere))
    for name in KINDS:
        assert not await is_gone(moved(ledger, **{**nowhere, name: known.contracts[name]}))
    later = Deployment(known.ledger, nowhere, await ledger.chain.head_height() + 1)
    with pytest.raises(LedgerBehind, match="for final ends with block"):
        await is_gone(EvmLedger(ledger.chain, later))
    places = {**nowhere, "exit": known.contracts["exit"]}  # is there, and not final yet
    assert not await is_gone(EvmLedger(ledger.chain, replace(later, contracts=places)))


async def test_an_answer_from_a_node_behind_the_final_block_is_no_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = await new_ledger()
    real = EmbeddedChain.code

    def code(self: EmbeddedChain, account: bytes, height: int | None = None) -> bytes:
        return real(self, account, 0 if height is None else height)

    monkeypatch.setattr(EmbeddedChain, "code", code)
    assert all("no code" in each for each in await audit(ledger))
    assert not await is_gone(ledger)


async def test_a_contract_that_was_constructed_for_another_gateway_is_named() -> None:
    ledger = await new_ledger()
    at = ledger.deployment.contracts
    other = await created(ledger, "Gateway", at["authority"])
    fees = await created(ledger, "RelayFees", other)
    (wrong,) = await audit(moved(ledger, fees=fees))
    assert wrong == f"fees at 0x{fees.hex()} was constructed with other values"
    exit_ = await created(
        ledger, "EmergencyExit", at["gateway"], at["bridge"], EXIT_DELAY + 1, at["authority"]
    )
    (wrong,) = await audit(moved(ledger, exit=exit_))
    assert "constructed with other values" in wrong


async def test_links_and_ports_of_another_deployment_are_named() -> None:
    ledger = await new_ledger()
    at = ledger.deployment.contracts
    swapped = await created(ledger, "ModelBridge", at["registry"], at["gateway"], at["authority"])
    exit_ = await created(
        ledger, "EmergencyExit", at["gateway"], swapped, EXIT_DELAY, at["authority"]
    )
    wrong = await audit(moved(ledger, bridge=swapped, exit=exit_))
    assert "bridge knows another gateway" in wrong
    assert "bridge knows another registry" in wrong
    assert "port model is not the bridge's" in wrong
    authority = await created(ledger, "AccessManager", DEPLOYER.account)
    wrong = await audit(moved(ledger, authority=authority))
    assert "gateway knows another authority" in wrong
    second = await created(ledger, "LicenceMarket", at["gateway"], at["registry"], at["authority"])
    wrong = await audit(moved(ledger, market=second))
    assert "port licence is not the market's" in wrong


async def test_roles_that_are_missing_or_too_many_are_named() -> None:
    ledger = await new_ledger()
    authority = authority_of(ledger)
    bridge = ledger.deployment.contracts["bridge"]
    await ledger.submit(authority.call("", "revokeRole", BRIDGE_ROLE, bridge), DEPLOYER)
    await ledger.submit(authority.call("", "grantRole", BRIDGE_ROLE, STRANGER.account, 0), DEPLOYER)
    wrong = await audit(ledger)
    assert "the bridge has not its role" in wrong
    assert any(f"0x{STRANGER.account.hex()} may do what the bridge" in each for each in wrong)
    pause = artifact(KINDS["gateway"]).interface["pauseRoute"].selector
    target = ledger.deployment.contracts["gateway"]
    await ledger.submit(authority.call("", "setTargetFunctionRole", target, [pause], 0), DEPLOYER)
    assert "role 2 (guardian) may not call pauseRoute of the gateway" in await audit(ledger)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What transactions of each ledger take, summed."""
    real, found = Sender.submit, defaultdict(int)

    async def counted(self, *arguments, **named):
        done = await real(self, *arguments, **named)
        found[done.ledger] += done.work
        return done

    monkeypatch.setattr(Sender, "submit", counted)
    return found


async def test_a_deployment_takes_what_its_plan_says(used: dict[str, int]) -> None:
    ledger = await new_ledger()
    plan = await plan_steps(ledger.chain, DEPLOYER.account, deployment_steps(), None, "")
    assert [step.begun for step in plan.steps] == [False] * 13
    planned = sum(step.work for step in plan.steps)
    assert planned * 0.97 <= used[ledger.id] <= planned
    assert plan.missing is None
    assert plan.likely is not None
    assert plan.most is not None
    assert plan.likely <= plan.most
    poor = replace(plan, held=ledger.coins.asset.of(1))
    assert poor.missing == ledger.coins.asset.of(plan.most.units - 1)


@pytest.mark.parametrize("size", [3, 7, 15])
async def test_a_route_takes_what_its_plan_says(used: dict[str, int], size: int) -> None:
    a, b = await asyncio.gather(new_ledger(), new_ledger(31338))
    end = committee(size)
    plan = await EvmAdministration().plan_route(RouteEnd(a, b, end, ALL), DEPLOYER.account)
    used.clear()
    await join_ledgers(
        EvmAdministered(a, DEPLOYER), EvmAdministered(b, DEPLOYER), end, terms=(ALL, ClientTerms())
    )
    planned = sum(step.work for step in plan.steps)
    assert planned * 0.95 <= used[a.id] <= planned


async def test_a_route_with_clients_of_every_kind_is_what_was_asked_for() -> None:
    a, b = await asyncio.gather(new_ledger(), new_ledger(31338))
    end = committee()
    ids = await join_ledgers(
        EvmAdministered(a, DEPLOYER), EvmAdministered(b, DEPLOYER), end, terms=(ALL, ClientTerms())
    )
    office = EvmAdministration()
    assert await office.audit_route(RouteEnd(a, b, end, ALL), ids[0]) == []
    assert await office.audit_route(RouteEnd(b, a, end), ids[1]) == []
    assert await audit(a) == []

    (wrong,) = await office.audit_route(RouteEnd(a, b, end), ids[0])
    assert wrong.startswith("the client is caimi-composite (2 of caimi-committee")
    (wrong,) = await office.audit_route(RouteEnd(a, b, end, replace(ALL, threshold=3)), ids[0])
    assert "2 of" in wrong
    (wrong,) = await office.audit_route(RouteEnd(a, b, end, replace(ALL, bond=1)), ids[0])
    assert wrong == "the caimi-optimistic client was constructed with other values"
    assert await office.audit_route(RouteEnd(b, a, committee()), ids[1]) == [
        "its committee is another"
    ]
    (wrong,) = await office.audit_route(RouteEnd(b, b, end), ids[1])
    assert wrong == "the caimi-committee client was constructed with other values"


@pytest.mark.parametrize("terms", [READS, BOTH])
async def test_a_route_that_believes_organisations_is_what_was_asked_for(
    used: dict[str, int], terms: ClientTerms
) -> None:
    a, b = await asyncio.gather(new_ledger(), new_ledger(31338))
    end, office = committee(), EvmAdministration()
    plan = await office.plan_route(RouteEnd(a, b, end, terms), DEPLOYER.account)
    used.clear()
    ids = await join_ledgers(
        EvmAdministered(a, DEPLOYER),
        EvmAdministered(b, DEPLOYER),
        end,
        terms=(terms, ClientTerms()),
    )
    planned = sum(step.work for step in plan.steps)
    assert planned * 0.95 <= used[a.id] <= planned
    assert await office.audit_route(RouteEnd(a, b, end, terms), ids[0]) == []

    kind = "the caimi-endorsed-reads client"
    others = {
        f"{kind} was constructed with other values": (
            replace(READERS, channel="other"),
            replace(READERS, chaincode="other"),
        ),
        f"the endorsers of {kind.removeprefix('the ')} is another": (
            replace(READERS, keys=READERS.keys[::-1]),
            replace(READERS, organisations=b"\1\0"),
        ),
    }
    for said, changed in others.items():
        for who in changed:
            asked = RouteEnd(a, b, end, replace(terms, endorsers=who))
            (wrong,) = await office.audit_route(asked, ids[0])
            assert wrong == said.replace("of caimi", "of the caimi")
    other = ClientTerms((COMMITTEE,)) if terms is READS else READS
    (wrong,) = await office.audit_route(RouteEnd(a, b, end, other), ids[0])
    assert wrong.startswith("the client is caimi-")
    client = (await a.clients.of(ids[0])).inner or (await a.clients.of(ids[0]),)
    authority = authority_of(a)
    selector = artifact("EndorsedReadsClient").interface["freeze"].selector
    call = authority.call(
        "", "setTargetFunctionRole", client[-1].account.native, [selector], 2**64 - 1
    )
    await a.submit(call, DEPLOYER)
    assert await office.audit_route(RouteEnd(a, b, end, terms), ids[0]) == [
        f"role {2**64 - 1} may freeze on {kind}, not role 2"
    ]


async def test_values_that_are_swapped_and_roles_that_differ_are_named() -> None:
    a, b = await asyncio.gather(new_ledger(), new_ledger(31338))
    end, office = committee(), EvmAdministration()
    terms = replace(ALL, challenge_seconds=3600, confirmation_seconds=7200)
    swapped = replace(ALL, challenge_seconds=7200, confirmation_seconds=3600)
    ids = await join_ledgers(
        EvmAdministered(a, DEPLOYER),
        EvmAdministered(b, DEPLOYER),
        end,
        terms=(terms, ClientTerms()),
    )
    assert await office.audit_route(RouteEnd(a, b, end, swapped), ids[0]) == [
        "the challengeWindow of the caimi-optimistic client is another",
        "the confirmationWindow of the caimi-optimistic client is another",
    ]
    stranger = replace(terms, proposers=(DEPLOYER.account,))
    assert await office.audit_route(RouteEnd(a, b, end, stranger), ids[0]) == [
        f"0x{DEPLOYER.account.hex()} may not propose claims"
    ]
    authority = authority_of(a)
    (optimistic,) = (each for each in (await a.clients.of(ids[0])).inner if each.kind == OPTIMISTIC)
    for name in ("freeze", "propose"):
        selector = artifact("OptimisticClient").interface[name].selector
        call = authority.call(
            "", "setTargetFunctionRole", optimistic.account.native, [selector], 2**64 - 1
        )
        await a.submit(call, DEPLOYER)
    assert await office.audit_route(RouteEnd(a, b, end, terms), ids[0]) == [
        f"role {2**64 - 1} may freeze on the caimi-optimistic client, not role 2",
        f"role {2**64 - 1} may propose on the caimi-optimistic client, not role 4",
    ]


async def test_a_client_of_another_authority_is_named() -> None:
    a, b = await asyncio.gather(new_ledger(), new_ledger(31338))
    end = committee()
    other = await created(a, "AccessManager", STRANGER.account)
    client = await created(
        a,
        "CommitteeClient",
        b.gateway.address,
        end.epoch,
        end.threshold,
        list(end.members),
        end.operators,
        other,
    )
    route = a.gateway.add_client(client, ledger_address(b.id))
    added = (await a.submit(route, DEPLOYER)).effect
    wrong = await EvmAdministration().audit_route(RouteEnd(a, b, end), added)
    assert wrong == [
        "the authority of the caimi-committee client is another",
        "role 0 may freeze on the caimi-committee client, not role 2",
    ]


async def test_who_does_not_administer_and_clients_that_cannot_be_are_refused_at_once() -> None:
    a, b = await asyncio.gather(new_ledger(), new_ledger(31338))
    end = committee()
    office = EvmAdministration()
    with pytest.raises(RouteUnfit, match="does not administer"):
        await office.plan_route(RouteEnd(a, b, end), STRANGER.account)
    for terms in (
        ClientTerms((OPTIMISTIC,)),  # without a bond
        ClientTerms((COMMITTEE, COMMITTEE)),
        ClientTerms(()),
        ClientTerms((COMMITTEE, STORAGE_PROOF), 3),
        ClientTerms((OPTIMISTIC,), 0, 1, challenge_seconds=599),
        ClientTerms((OPTIMISTIC,), 0, 1, challenge_seconds=43_201),
        ClientTerms((COMMITTEE, OPTIMISTIC), 1, 1, confirmation_seconds=599),
        ClientTerms((COMMITTEE, OPTIMISTIC), 1, 1, confirmation_seconds=43_201),
        ClientTerms(("caimi-composite",)),
        ClientTerms((ENDORSED_READS,)),  # by nobody
        ClientTerms((COMMITTEE, ENDORSED_READS)),
    ):
        with pytest.raises(RouteUnfit):
            await office.plan_route(RouteEnd(a, b, end, terms), DEPLOYER.account)


async def test_an_optimistic_client_takes_the_windows_that_routes_may_have_and_no_others() -> None:
    ledger = await new_ledger()
    at = ledger.deployment.contracts

    async def with_windows(*seconds: int) -> None:
        await created(ledger, "OptimisticClient", at["gateway"], 1, *seconds, at["authority"])

    shortest, longest = WINDOWS[0], WINDOWS[-1]
    await with_windows(shortest, longest)
    await with_windows(longest, shortest)
    for outside in (shortest - 1, longest + 1):
        for windows in ((outside, longest), (shortest, outside)):
            with pytest.raises(TransactionReverted, match="InvalidWindow"):
                await with_windows(*windows)
