"""`caimi node`: a new committee member's directory, and what its operator tells the others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from caimi.cli.certificates import own_passphrase
from caimi.cli.options import ConfigOption, JsonOption, ask_passphrase, guarded
from caimi.cli.output import facts, print_json, say, table
from caimi.cli.plans import PlanConsent, PlanOption, YesOption

app = typer.Typer(
    help="Make a committee member's node: its directory, its description, its committee.",
    no_args_is_help=True,
)

HomeArgument = Annotated[Path, typer.Argument(help="The node's directory.")]
MemberOption = Annotated[
    list[Path] | None,
    typer.Option("--member", help="A member's description.json, from its operator; again."),
]
ThresholdOption = Annotated[
    int, typer.Option("--threshold", help="How many members together can use the key, and sign.")
]


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The node's name, such as node-1.")],
    organisation: Annotated[
        str | None, typer.Option("--organisation", help="Who runs it, as its authority says.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="Where others reach it: https://HOST:PORT.")
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option("--listen", help="Address to listen on; default: all, or the URL's."),
    ] = None,
    ledger: Annotated[
        list[str] | None,
        typer.Option(
            "--ledger", "-l", help="A ledger of caimi.toml that it follows; default: all."
        ),
    ] = None,
    authority: Annotated[
        Path | None,
        typer.Option("--authority", help="Your authority's directory, if it is on this machine."),
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", "-d", help="Where to; default: its name.")
    ] = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a node's directory: keys, certificate, systemd unit, and its description for the others.

    Run again it goes on where it stopped; nothing that is there is written over.

    Example: [bold]caimi node init node-1 --organisation Ours --url https://node-1.example.org:9001[/bold]
    """
    import sys

    from caimi.cli.options import somebody_there
    from caimi.config import LoggingSection, load_config
    from caimi.errors.operations import UsageError
    from caimi.loopback import is_loopback
    from caimi.names import check_name
    from caimi.node.description import check_url
    from caimi.node.founding import NodeFounding
    from caimi.node.settings import NodeDraft
    from caimi.places import check_directory_place
    from caimi.tls.authority import CertificateAuthority, check_host

    def asked(given: str | None, what: str, option: str) -> str:
        if given is not None:
            return given
        if as_json or not somebody_there():
            raise UsageError(f"Say {what} with {option}.")
        return str(typer.prompt(what[0].upper() + what[1:]))

    def work() -> None:
        check_name(name, "a node")
        home = directory or Path(name)
        check_directory_place(home)
        who = asked(organisation, "who runs it", "--organisation")
        at = asked(url, "where others reach it (https://HOST:PORT)", "--url")
        host, port = check_url(at)
        settings = load_config(config)
        sections = [settings.ledger(each) for each in ledger] if ledger else settings.ledgers
        draft = NodeDraft(
            name=name,
            organisation=who,
            url=at,
            host=listen or (check_host(host) if is_loopback(host) else "0.0.0.0"),  # noqa: S104
            port=port,
            logging=LoggingSection(format="json"),
            ledgers=list(sections),
        )
        founding = NodeFounding(home, draft, (sys.executable, "-m", "caimi.cli"))
        planned = founding.plan(signed_here=authority is not None)
        chosen = {
            "organisation": who,
            "url": at,
            "listens on": f"{draft.host}:{port}",
            "ledgers": ", ".join(section.id for section in sections) or "none",
        }
        if not as_json:
            facts(f"Node {name}", chosen)
            facts(f"Written to {home}", planned)
        consent = PlanConsent(plan, yes, as_json)
        if consent.ends_with_plan(plan={**chosen, "files": planned}):
            return
        consent.ask()
        passphrase = own_passphrase(f"New passphrase for {name}")
        signer = (
            CertificateAuthority.load(authority, _passphrase_of(authority, passphrase))
            if authority is not None
            else None
        )
        made = founding.carry_out(passphrase, signer)
        told = {
            "account": f"0x{made.account.hex()}",
            "description": home / "description.json" if made.description else None,
            "fingerprint": made.description.fingerprint if made.description else None,
            "unit": founding.unit,
        }
        if as_json:
            print_json({"ok": True, **told, "lacking": made.lacking})
            return
        facts(f"Node {name}", {key: value for key, value in told.items() if value})
        if made.lacking:
            say(
                "Next, where your authority is: [bold]caimi certificates sign {}[/bold]. "
                "Put tls.pem and authority.pem into {}, and run this command again.",
                home / "tls.csr",
                home,
            )
        else:
            say(
                "Give {} to the other operators, and tell them its fingerprint.",
                told["description"],
            )
            say("Next, with theirs: [bold]caimi node join {} --member …[/bold]", home)

    guarded(as_json, work)


@app.command()
def join(
    home: HomeArgument,
    threshold: ThresholdOption,
    coordinator: Annotated[
        str, typer.Option("--coordinator", help="The account that may order the key generation.")
    ],
    member: MemberOption = None,
    trust: Annotated[
        list[Path] | None,
        typer.Option("--trust", help="An authority's certificate that is trusted besides; again."),
    ] = None,
    plan: PlanOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a node's settings: the committee's members, by their descriptions, and whom it trusts.

    All operators name the same members, this node among them or not, and compare the fingerprint.

    Example: [bold]caimi node join node-1 --member b.json --threshold 2 --coordinator 0x…[/bold]
    """
    from caimi.cli.one_ledger import account_of
    from caimi.node.description import committee_fingerprint, read_description
    from caimi.node.joining import CommitteeTerms, NodeJoining

    def work() -> None:
        joining = NodeJoining(home, trust or ())
        described = [read_description(file) for file in member or ()]
        if joining.own not in described:
            described.append(joining.own)
        terms = CommitteeTerms.of(described, threshold, account_of(coordinator))
        agreed = committee_fingerprint(terms.members, threshold)
        if not as_json:
            show_members(terms.members)
            facts(
                "The committee",
                {
                    "threshold": f"{threshold} of {len(terms.members)}",
                    "coordinator": coordinator,
                    "fingerprint": agreed,
                },
            )
        if not plan:
            PlanConsent(yes=yes, as_json=as_json).ask()
            file = joining.carry_out(terms)
        if as_json:
            print_json({"ok": True, "fingerprint": agreed, "settings": None if plan else file})
        elif not plan:
            say(
                "Compare the fingerprint with the others, then: [bold]caimi service node {}[/bold]",
                file,
            )

    guarded(as_json, work)


@app.command("show")
def show_description(
    file: Annotated[Path, typer.Argument(help="A node's description.json.")],
    as_json: JsonOption = False,
) -> None:
    """Show a node's description and its fingerprint, to compare with what its operator says.

    Example: [bold]caimi node show description.json[/bold]
    """
    from caimi.node.description import read_description
    from caimi.tls.certificates import fingerprint, parse_certificates

    def work() -> None:
        found = read_description(file)
        (authority,) = parse_certificates(found.authority.encode(), str(file))
        told = {
            "name": found.name,
            "organisation": found.organisation,
            "url": found.url,
            "account": f"0x{found.account.hex()}",
            "authority": fingerprint(authority),
            "fingerprint": found.fingerprint,
        }
        if as_json:
            print_json({"ok": True, **told})
        else:
            facts(found.said, told)

    guarded(as_json, work)


def show_members(members: tuple[object, ...]) -> None:
    """Print who is in a committee, in their order."""
    from caimi.node.description import NodeDescription

    rows = [
        (index, each.said, each.url, f"0x{each.account.hex()}")
        for index, each in enumerate(members, start=1)
        if isinstance(each, NodeDescription)
    ]
    table("Members", ("index", "who", "where", "account"), rows)


def _passphrase_of(authority: Path, passphrase: bytes) -> bytes:
    """Give the passphrase of an authority: the node's, or another one that is typed."""
    from caimi.cli.options import somebody_there
    from caimi.errors.operations import KeyLocked
    from caimi.tls.authority import CertificateAuthority

    try:
        CertificateAuthority.load(authority, passphrase)
    except KeyLocked:
        if not somebody_there():
            raise
        return ask_passphrase("Passphrase of the authority's key").encode()
    return passphrase
