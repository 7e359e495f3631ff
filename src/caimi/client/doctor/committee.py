"""Checking the committee's nodes: who answers, as whom, and in which version."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import httpx

from caimi import __version__
from caimi.client.doctor.finding import Finding, failed, within_time
from caimi.composition.committee import reach_nodes
from caimi.config import CommitteeSection, Config, CustodianSection
from caimi.custody.keys import GroupKey
from caimi.errors.base import CaimiError
from caimi.services.endpoint import Endpoint, read_object

HEALTH_LOOKS: Final = 2
"""A node tells after two seconds that a ledger is slow; far away, the next answer is there then."""


@dataclass(frozen=True, slots=True)
class AskedNode:
    """What a node's checks found, and how far its clock is ahead of ours; None when it is mute."""

    findings: list[Finding]
    ahead: float | None


async def check_committee(
    config: Config, section: CommitteeSection
) -> tuple[list[Finding], dict[str, float]]:
    """Check every node, and that enough of them answer; give the clocks of those that do too."""
    async with AsyncExitStack() as stack:
        try:
            nodes = reach_nodes(stack, config)
        except CaimiError as error:  # our own certificate, say: nobody can be asked
            return [failed("committee", error)], {}
        asked = await asyncio.gather(
            *(_ask(nodes[each.index], each, section.group_key) for each in section.custodians)
        )
    found = [finding for each in asked for finding in each.findings]
    clocks = {
        f"node {custodian.index}": each.ahead
        for custodian, each in zip(section.custodians, asked, strict=True)
        if each.ahead is not None
    }
    return [_quorum(section, asked), *found], clocks


def _quorum(section: CommitteeSection, asked: list[AskedNode]) -> Finding:
    able = sum(all(each.state != "wrong" for each in one.findings) for one in asked)
    try:
        needed = GroupKey.from_bytes(bytes.fromhex(section.group_key[2:])).threshold
    except CaimiError as error:
        return failed("committee", error)
    said = f"{able} of {len(asked)} nodes are well, and {needed} are needed."
    if able < needed:
        return Finding(
            "committee",
            "wrong",
            said,
            "Nothing is carried or opened until more answer: see each node below.",
        )
    if able < len(asked):
        return Finding("committee", "warning", said, "See the node below that is not well.")
    return Finding("committee", "ok", said)


async def _ask(endpoint: Endpoint, custodian: CustodianSection, group_key: str) -> AskedNode:
    ahead: list[float] = []
    subject = f"node {custodian.index}"

    async def ask() -> list[Finding]:
        before = time.time()
        identity = await endpoint.get("/v1/identity")
        told = identity.get("time")
        if isinstance(told, (int, float)) and not isinstance(told, bool):
            ahead.append(told - (before + time.time()) / 2)
        return _judged(subject, custodian, group_key, identity, await _ill(endpoint))

    return AskedNode(await within_time(subject, ask()), ahead[0] if ahead else None)


async def _ill(endpoint: Endpoint) -> str | None:
    """Say which ledgers a node cannot read, asking again while they are only slow; None if well."""
    said = ""
    for _ in range(HEALTH_LOOKS):
        status, answer = await endpoint.exchange("GET", "/health", None)
        if status == httpx.codes.OK:
            return None
        ledgers = (read_object(answer) or {}).get("ledgers")
        named = ledgers.items() if isinstance(ledgers, dict) else ()
        bad = [name[:80] for name, told in named if isinstance(told, dict) and not told.get("ok")]
        said = f": {', '.join(bad[:10])}" if bad else ""
    return said


def _judged(
    subject: str,
    custodian: CustodianSection,
    group_key: str,
    identity: dict[str, object],
    ill: str | None,
) -> list[Finding]:
    look = "Look at its log, and compare its node.toml with [committee] in caimi.toml."
    wrong = [
        Finding(subject, "wrong", f"{custodian.url} is {what}.", look)
        for what, known, said in (
            ("another member", custodian.index, identity.get("index")),
            ("another account", custodian.account.lower(), str(identity.get("account")).lower()),
            ("a custodian of another key", group_key, identity.get("group_key")),
        )
        if known != said
    ]
    if ill is not None:
        wrong.append(
            Finding(
                subject, "wrong", f"It cannot read all of its ledgers{ill}.", "Look at its log."
            )
        )
    version = identity.get("version")
    if wrong:
        return wrong
    if not isinstance(version, str) or version != __version__:
        shown = version[:40] if isinstance(version, str) else "one that it does not tell"
        return [
            Finding(
                subject,
                "warning",
                f"Its version is {shown}; this is {__version__}.",
                "Bring both to one version.",
            )
        ]
    return [Finding(subject, "ok", f"{custodian.url} answers, in version {version}.")]
