"""`caimi committee create`: nodes on many machines make a committee's key, checked beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.ceremony import LedgerOption, bound, broadcast_on
from caimi.cli.node import ThresholdOption, show_members
from caimi.cli.one_ledger import identity_of
from caimi.cli.options import ConfigOption, JsonOption, KeyOption, guarded
from caimi.cli.output import facts, out, print_json, say, table
from caimi.cli.plans import PlanConsent, PlanOption, YesOption

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from caimi.client.keyring import Identity
    from caimi.config import CommitteeSection, Config
    from caimi.node.joining import CommitteeTerms
    from caimi.node.readiness import LookedAtMember, ReachedMember


def create(
    member: Annotated[
        list[Path],
        typer.Option("--member", help="A member's description.json, from its operator; again."),
    ],
    threshold: ThresholdOption,
    ledger: LedgerOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to write the committee, for users.")
    ] = Path("committee.toml"),
    plan: PlanOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at all members, have them make the committee's key, and write the committee down.

    The key in use must be the coordinator's that the members named, and [tls] in caimi.toml its
    certificate. Run again after anything was killed, it goes on where it stopped.

    Example: [bold]caimi committee create --threshold 2 --member a.json --member b.json[/bold]
    """
    import asyncio

    from caimi.composition.committee_file import add_committee, check_addable, committee_table
    from caimi.config import config_source, load_config
    from caimi.node.description import committee_fingerprint, read_description
    from caimi.node.joining import (
        TRUST,
        CommitteeTerms,
        check_trust,
        committee_section,
        custodians_of,
    )
    from caimi.places import check_directory_place, check_file_place

    async def work() -> None:
        check_file_place(output)
        settings = load_config(config)
        source = config_source(config)
        check_file_place(source.file)
        for folder in (output.parent, settings.home):
            check_directory_place(folder / TRUST)
        identity = await identity_of(config, key)
        described = [read_description(each) for each in member]
        terms = CommitteeTerms.of(described, threshold, identity.signer.account)
        check_addable(source.file, custodians_of(terms), source.table)
        for folder in (output.parent, settings.home):
            check_trust(folder / TRUST, [each.authority for each in terms.members])
        said = {
            "threshold": f"{threshold} of {len(described)}",
            "coordinator": f"0x{identity.signer.account.hex()}",
            "fingerprint": committee_fingerprint(terms.members, threshold),
            "writes": f"{output}, {TRUST}/, and [{committee_table(source.table)}] of {source.file}",
        }
        if not as_json:
            show_members(terms.members)
            facts("The committee", said)
            out.print(bound(threshold, len(described), ledger))
        consent = PlanConsent(plan, yes, as_json)
        group = await _create(settings, identity, terms, said, ledger, consent)
        if group is not None:
            section = committee_section(terms, group)
            await asyncio.to_thread(_write, terms, section, output, settings.home)
            await asyncio.to_thread(add_committee, source.file, section, source.table)
            _told(section, output, as_json=as_json)

    guarded(as_json, lambda: asyncio.run(work()))


async def _create(
    settings: Config,
    identity: Identity,
    terms: CommitteeTerms,
    said: dict[str, str],
    ledger: str | None,
    consent: PlanConsent,
) -> bytes | None:
    """Give the group's key once all have made it; None where only the plan was wanted."""
    from contextlib import AsyncExitStack

    from caimi.node.coordinator import NamedMember, generate_group_key
    from caimi.node.readiness import check_ready, look_at

    async with AsyncExitStack() as stack:
        reached = _reach(stack, settings, identity, terms)
        found = await look_at(reached)
        if not consent.as_json:
            _show(found)
        check_ready(found)
        if consent.ends_with_plan(plan=said, members=_rows(found)):
            return None
        consent.ask()
        members = [NamedMember(each.ordered, each.description.said) for each in reached]
        public = await broadcast_on(stack, settings, identity, ledger)
        return (await generate_group_key(members, terms.threshold, public)).to_bytes()


def _write(terms: CommitteeTerms, section: CommitteeSection, output: Path, home: Path) -> None:
    """Write the committee for users; the trust, beside it and in the configuration's `home`."""
    from caimi.composition.committee_file import committee_text
    from caimi.node.joining import TRUST, write_trust
    from caimi.places import write_result

    authorities = [each.authority for each in terms.members]
    for folder in dict.fromkeys((output.parent.resolve(), home)):
        write_trust(folder / TRUST, authorities)
    write_result(output, committee_text(section).encode())


def _told(section: CommitteeSection, output: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "group_key": section.group_key, "committee": output})
        return
    facts("The committee has a key", {"group_key": section.group_key, "committee": output})
    say("Give {} and trust/ to users: it belongs into their caimi.toml.", output)
    say("Next: [bold]caimi route add[/bold], which lets two ledgers believe this committee.")


def _reach(
    stack: AsyncExitStack, settings: Config, identity: Identity, terms: CommitteeTerms
) -> list[ReachedMember]:
    """Make ready to ask each member, whom its own organisation's authority alone certifies."""
    from tempfile import TemporaryDirectory

    from caimi.composition.trust import Trust
    from caimi.node.joining import authority_file, write_trust
    from caimi.node.members import HttpMember
    from caimi.node.readiness import ReachedMember
    from caimi.services.endpoint import Endpoint

    folder = Path(stack.enter_context(TemporaryDirectory(prefix="caimi-trust-")))
    write_trust(folder, [each.authority for each in terms.members])
    trust, reached = Trust(settings), []
    for each in terms.members:
        place = str(folder / authority_file(each.authority))
        endpoint = Endpoint(each.url, tls=trust.of(each.url, place))
        stack.push_async_callback(endpoint.aclose)
        reached.append(ReachedMember(each, endpoint, HttpMember(endpoint, identity.signer)))
    return reached


def _rows(found: list[LookedAtMember]) -> list[dict[str, object]]:
    return [
        {
            "member": each.member.said,
            "url": each.member.url,
            "milliseconds_apart": each.apart_milliseconds,
            "holds_share": each.holds_share,
            "trouble": list(each.trouble),
        }
        for each in found
    ]


def _show(found: list[LookedAtMember]) -> None:
    rows = [
        (
            each.member.said,
            "" if each.apart_milliseconds is None else f"{each.apart_milliseconds / 1000:+.1f} s",
            "has a share" if each.holds_share else "",
            "not ready" if each.trouble else "ready",
        )
        for each in found
    ]
    table("Looked at", ("member", "clock", "key", "state"), rows)
