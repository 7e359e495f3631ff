"""`caimi fabric`: what organisations of a Hyperledger Fabric channel prepare before `deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import JsonOption, guarded
from caimi.cli.output import facts, print_json, say
from caimi.errors.operations import UsageError

if TYPE_CHECKING:
    from caimi.ledgers.fabric.terms import FoundingTerms

app = typer.Typer(
    help="What each organisation of a Hyperledger Fabric channel prepares for it.",
    no_args_is_help=True,
)
_MOST_BYTES = 64 << 20


@app.command()
def channel(
    block: Annotated[
        Path, typer.Argument(help="The channel's first block, as `peer channel fetch` writes it.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Tell a channel's ledger id, which its first block's hash is, and its organisations.

    Example: [bold]caimi fabric channel caimi_0.block[/bold]
    """
    from caimi.ledgers.fabric.verification.chain import ChannelChain

    def work() -> None:
        chain = ChannelChain.of_first_block(_content(block))
        there = sorted(chain.configuration.application_msps)
        if as_json:
            print_json(
                {
                    "ok": True,
                    "ledger": chain.ledger,
                    "channel": chain.configuration.channel,
                    "organisations": there,
                }
            )
            return
        name = chain.configuration.channel
        facts(f"Channel {name}", {"ledger": chain.ledger, "organisations": ", ".join(there)})

    guarded(as_json, work)


@app.command()
def package(
    address: Annotated[
        str, typer.Argument(help="host:port at which your peer reaches your chaincode's process.")
    ],
    roots: Annotated[
        Path, typer.Option("--roots", help="Which certificate the process shows, or who signed it.")
    ],
    peer_certificate: Annotated[
        Path, typer.Option("--peer-certificate", help="What your peer shows to the process.")
    ],
    peer_key: Annotated[Path, typer.Option("--peer-key", help="That certificate's key.")],
    label: Annotated[str, typer.Option("--label", help="What the package is called.")] = "caimi",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The package file; for its owner alone.")
    ] = Path("caimi.tar.gz"),
    as_json: JsonOption = False,
) -> None:
    """Write the package that your peer installs, and tell its id. All files are PEM.

    It says where the chaincode's process is, and holds the key by which the process knows the peer:
    give it to nobody. The same words and files give the same package, so the same id.

    Example: [bold]caimi fabric package chaincode:7052 --roots ca.pem --peer-certificate peer.pem
    --peer-key peer.key[/bold]
    """
    from caimi.ledgers.fabric.lifecycle.packages import ChaincodeService, package_service
    from caimi.places import check_file_place
    from caimi.whole_files import write_whole

    def work() -> None:
        check_file_place(output)
        parts = map(_content, (roots, peer_certificate, peer_key))
        made = package_service(label, ChaincodeService(address, *parts))
        write_whole(output, made.content)
        if as_json:
            print_json({"ok": True, "package": output, "id": made.id})
            return
        facts("A package", {"package": output, "id": made.id})
        say("Next: [bold]caimi service chaincode --package-id {}[/bold]", made.id)

    guarded(as_json, work)


@app.command()
def terms(
    ledger: Annotated[str, typer.Argument(help="The ledger, by CAIP-2 id.")],
    administrator: Annotated[
        str, typer.Option("--administrator", help="Account that begins with all powers.")
    ],
    guardian: Annotated[
        str | None,
        typer.Option("--guardian", help="Account that may stop things; else the administrator."),
    ] = None,
    issuer: Annotated[
        str | None,
        typer.Option("--issuer", help="Account that issues an accounting asset, if there is one."),
    ] = None,
    symbol: Annotated[str, typer.Option("--symbol", help="How the asset is called.")] = "EUR",
    decimals: Annotated[
        int, typer.Option("--decimals", min=0, max=18, help="How many decimals it has.")
    ] = 2,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to.")] = Path("terms.toml"),
    as_json: JsonOption = False,
) -> None:
    """Write what a ledger on a channel begins with; each organisation's chaincode is given it.

    Organisations compare its fingerprint: one that was given another endorses no founding.

    Example: [bold]caimi fabric terms fabric:00112233445566778899aabbccddeeff
    --administrator ed25519-…[/bold]
    """
    from pydantic import ValidationError

    from caimi.config.section import what_is_wrong
    from caimi.ledgers.fabric.terms import AccountingTerms, FoundingTerms
    from caimi.ledgers.fabric.verification.headers import NAMESPACE
    from caimi.ledgers.port import LedgerId
    from caimi.places import check_file_place, write_result

    def work() -> None:
        check_file_place(output)
        if not ledger.startswith(f"{NAMESPACE}:"):
            raise UsageError(
                f"{ledger!r:.60} is no channel's id; `caimi fabric channel BLOCK` tells it."
            )
        asset = None
        try:
            if issuer is not None:
                asset = AccountingTerms(issuer=issuer, symbol=symbol, decimals=decimals)
            written = FoundingTerms(
                LedgerId(ledger), administrator, guardian or administrator, asset
            ).text()
        except ValidationError as error:
            raise UsageError(f"The accounting asset: {what_is_wrong(error)}.") from error
        write_result(output, written.encode())
        _tell(output, FoundingTerms.read_file(output), as_json)

    guarded(as_json, work)


@app.command("show")
def show_terms(
    file: Annotated[Path, typer.Argument(help="A file of terms.")], as_json: JsonOption = False
) -> None:
    """Show a ledger's terms in a file, and the fingerprint that organisations compare.

    Example: [bold]caimi fabric show terms.toml[/bold]
    """
    from caimi.ledgers.fabric.terms import FoundingTerms

    guarded(as_json, lambda: _tell(file, FoundingTerms.read_file(file), as_json))


def _tell(file: Path, known: FoundingTerms, as_json: bool) -> None:
    said: dict[str, object] = {
        "ledger": known.ledger,
        "administrator": known.administrator,
        "guardian": known.guardian,
    }
    asset = known.accounting
    if as_json:
        accounting = None if asset is None else asset.model_dump()
        told = {"accounting": accounting, "fingerprint": known.fingerprint}
        print_json({"ok": True, "terms": file, **said, **told})
        return
    if asset is not None:
        said["asset"] = f"{asset.symbol}, {asset.decimals} decimals, issued by {asset.issuer}"
    facts(str(file), {**said, "fingerprint": known.fingerprint})
    say("Every organisation compares the fingerprint before its chaincode is given the file.")


def _content(file: Path) -> bytes:
    with file.open("rb") as opened:
        content = opened.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{file} is longer than {_MOST_BYTES} bytes.")
    return content
