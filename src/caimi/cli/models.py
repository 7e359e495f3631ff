"""The commands about models: publish, search, show, price, buy, transfer, pull, run, verify…"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.answers import check_places, keep_answer
from caimi.cli.options import (
    ConfigOption,
    JsonOption,
    KeyOption,
    UriArgument,
    guarded,
    somebody_there,
    with_network,
)
from caimi.cli.output import (
    block_bars,
    err,
    facts,
    out,
    plain,
    print_json,
    progress_bars,
    say,
    table,
)
from caimi.errors.operations import LicensedElsewhere, UsageError
from caimi.places import check_directory_place, check_file_place, write_result

if TYPE_CHECKING:
    from caimi.client.catalogue import HistoryLine
    from caimi.client.network import AsyncNetwork
    from caimi.client.pull import Pulled
    from caimi.client.verify import Verified
    from caimi.models.tensor import Tensor


class RunEngine(StrEnum):
    """What runs a model here."""

    ONNX = "onnx"
    WASM = "wasm"
    WASM_MVP = "wasm-mvp"
    WASM_F64 = "wasm-f64"
    WASM_INT8 = "wasm-int8"
    REMOTE = "remote"


LedgerOption = Annotated[
    str | None, typer.Option("--ledger", "-l", help="Ledger, by CAIP-2 id or short name.")
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (
        publish,
        search,
        show,
        price,
        buy,
        transfer,
        pull,
        run,
        verify,
        history,
        deprecate,
    ):
        app.command()(command)
    app.command("alias")(set_alias)


def publish(
    path: Annotated[Path, typer.Argument(help="A model file or a directory.")],
    name: Annotated[str, typer.Option("--name", "-n", help="The model's name.")],
    version: Annotated[str, typer.Option("--version", "-v", help="Such as 1.0.0.")],
    ledger: LedgerOption = None,
    price: Annotated[
        str | None, typer.Option(help="Licence price in coins, on every ledger.")
    ] = None,
    payee: Annotated[
        list[str] | None,
        typer.Option(help="CAIP-10 account that is paid on its ledger; else your own there."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="URI of an existing model you own, for a further version.")
    ] = None,
    licence: Annotated[str, typer.Option(help="SPDX licence id.")] = "Apache-2.0",
    description: Annotated[str, typer.Option(help="What the model is for.")] = "",
    alias: Annotated[str | None, typer.Option(help="Also point this alias at the version.")] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(help="A hidden or secret-looking file that does belong to the model."),
    ] = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Seal, sign, store and publish a version of a model.

    Example: [bold]caimi publish model.onnx -n tumour-mlp -v 1.0.0 -l a --price 5[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        from caimi.client.publish import Description
        from caimi.models import Package
        from caimi.models.card import ModelCard
        from caimi.names import check_alias

        if alias is not None:
            check_alias(alias)
        package = await asyncio.to_thread(Package.from_path, path, include=include or ())
        said = Description(licence=licence, card=ModelCard(description=description))
        with progress_bars(quiet=as_json) as progress:
            done = await net.publish(
                package,
                name=name,
                version=version,
                ledger=ledger,
                price=price,
                payees=payee or (),
                model=model,
                description=said,
                progress=progress,
            )
        if alias is not None:
            await net.set_alias(done.uri, alias)
        if as_json:
            print_json({"ok": True, **vars_of(done)})
            return
        for warning in done.warnings:
            err.print(f"[yellow]Warning:[/yellow] {plain(warning)}")
        facts(
            "Published",
            {"uri": done.uri, "manifest": f"0x{done.manifest}", "cid": done.cid, "tx": done.tx},
        )

    with_network(config, key, as_json, work)


def search(
    text: Annotated[str, typer.Argument(help="A part of the name or id.")] = "",
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find models, on one ledger or on all.

    Example: [bold]caimi search tumour[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        with block_bars(quiet=as_json) as progress:
            found = await net.search(text, ledger, progress=progress)
        if as_json:
            print_json({"ok": True, "models": found})
            return
        for m in found:
            sold = ", ".join(f"{price} on {where}" for where, price in m.prices.items())
            unsettled = "" if m.final else " (not final yet)"
            facts(
                f"{m.name} {m.latest}{unsettled}", {"uri": m.uri, "price": sold or "not for sale"}
            )
        if not found:
            out.print("[dim]No model has that in its name or id.[/dim]")

    with_network(config, key, as_json, work)


def show(
    uri: UriArgument,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell everything about a model: owner, versions, prices, signature, files.

    Example: [bold]caimi show caimi:eip155:31337:0x…@production[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        shown = await net.show(uri)
        if as_json:
            print_json({"ok": True, **vars_of(shown), "manifest": shown.manifest.to_json()})
            return
        manifest = shown.manifest
        facts(
            f"{shown.name} {manifest.version}",
            {
                "uri": shown.uri,
                "publisher": shown.publisher,
                "owner": f"{shown.owner} on {shown.held_on}"
                + (f", over {', '.join(shown.path)}" if shown.path else "")
                + (" (in flight)" if shown.in_flight else ""),
                "versions": ", ".join(
                    version + (" (deprecated)" if gone else "") for version, gone in shown.versions
                ),
                "prices": ", ".join(f"{p} on {ledger}" for ledger, p in shown.prices.items())
                or "not for sale",
                "framework": manifest.framework,
                "licence": manifest.licence,
                "inputs": ", ".join(map(_tensor, manifest.inputs)),
                "outputs": ", ".join(map(_tensor, manifest.outputs)),
                "metrics": ", ".join(f"{k} {v:.4g}" for k, v in (manifest.metrics or {}).items()),
                "description": manifest.card.description,
                "manifest": f"0x{manifest.digest.hex()}",
            },
        )
        table(
            "Files",
            ("path", "bytes", "sha256"),
            [(file.path, file.size, file.sha256.hex()) for file in manifest.files],
        )

    with_network(config, key, as_json, work)


def price(
    uri: UriArgument,
    amount: Annotated[str, typer.Argument(help="Licence price in coins, on every ledger.")],
    payee: Annotated[
        list[str] | None,
        typer.Option(help="CAIP-10 account that is paid on its ledger; else your own there."),
    ] = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask another price for licences of a model you own.

    Example: [bold]caimi price caimi:eip155:31337:0x… 7 --payee eip155:31338:0x…[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        done = await net.set_price(uri, amount, payees=payee or ())
        if as_json:
            print_json({"ok": True, **vars_of(done)})
        else:
            prices = {
                where: f"{each}, to {done.payees[where]}" for where, each in done.prices.items()
            }
            facts("Priced", {"uri": done.uri, **prices})

    with_network(config, key, as_json, work)


def buy(
    uri: UriArgument,
    ledger: LedgerOption = None,
    max_price: Annotated[str | None, typer.Option(help="Refuse to pay more, in coins.")] = None,
    reader: Annotated[
        str | None,
        typer.Option(help="Whose licence it is: an account there, or a key's name; else yours."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Pay though another ledger's licence opens it already.")
    ] = False,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Buy a licence, paying on any ledger; on the model's own unless --ledger names another.

    Example: [bold]caimi buy caimi:eip155:31337:0x…@1.0.0 -l b -k bob[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        try:
            done = await net.buy(
                uri, ledger=ledger, max_price=max_price, reader=reader, again=again
            )
        except LicensedElsewhere as error:
            if as_json or not somebody_there():
                raise
            err.print(f"[yellow]{plain(error.what)}[/yellow] {plain(error.why)}")
            if not typer.confirm("Pay for another one all the same?"):
                raise
            done = await net.buy(uri, ledger=ledger, max_price=max_price, reader=reader, again=True)
        if as_json:
            print_json({"ok": True, **vars_of(done)})
        else:
            facts("Licensed", vars_of(done))

    with_network(config, key, as_json, work)


def transfer(
    uri: UriArgument,
    recipient: Annotated[str, typer.Option("--to", help="Account, CAIP-10 id, or key name.")],
    ledger: LedgerOption = None,
    timeout: Annotated[
        int | None, typer.Option(min=1, max=86_400, help="Seconds until it refunds.")
    ] = None,
    min_depth: Annotated[
        int, typer.Option(min=0, max=9_000, help="Blocks over the transfer before it is taken.")
    ] = 0,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move a model's ownership to an account, on the same ledger or another.

    From a ledger where it is a guest it goes on to others, and back the way it came.

    Example: [bold]caimi transfer caimi:eip155:31337:0x… --to bob -l c[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        done = await net.transfer(
            uri, recipient=recipient, to=ledger, timeout_seconds=timeout, min_depth=min_depth
        )
        if as_json:
            print_json({"ok": True, **vars_of(done)})
        else:
            facts("Transferred", vars_of(done))

    with_network(config, key, as_json, work)


def pull(
    uri: UriArgument,
    directory: Annotated[Path, typer.Argument(help="Where to put the plain files.")],
    bundle: Annotated[
        Path | None,
        typer.Option(help="Also write BUNDLE.sig and BUNDLE.pem, for `model_signing verify key`."),
    ] = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Unlock a licensed version and write its plain files, all hashes and the signature checked.

    Example: [bold]caimi pull caimi:eip155:31337:0x…@1.0.0 ./model -k bob[/bold]
    """
    signature, public_key = Path(f"{bundle}.sig"), Path(f"{bundle}.pem")

    async def work(net: AsyncNetwork) -> Pulled:
        with progress_bars(quiet=as_json) as progress:
            done = await net.pull(uri, directory, progress=progress)
        if bundle is not None:
            write_result(signature, done.bundle)
            write_result(public_key, done.public_key.encode())
        return done

    def places() -> None:
        check_directory_place(directory)
        if bundle is not None:
            check_file_place(signature)
            check_file_place(public_key)

    guarded(as_json, places)
    done = with_network(config, key, as_json, work)
    if as_json:
        print_json(
            {
                "ok": True,
                "uri": done.uri,
                "directory": done.directory,
                "files": done.files,
                "custodians": [str(outcome) for outcome in done.outcomes],
            }
        )
        return
    for warning in done.warnings:
        err.print(f"[yellow]Warning:[/yellow] {warning}")
    facts("Pulled", {"uri": done.uri, "directory": done.directory})
    table("Custodians", ("outcome",), [(outcome,) for outcome in done.outcomes])
    if bundle is not None:
        say(
            "Check: model_signing verify key {} --signature {} --public_key {}",
            directory,
            signature,
            public_key,
        )


def run(
    uri: UriArgument,
    inputs: Annotated[Path, typer.Option("--input", "-i", help=".npy, .npz or .json")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=".npz or .json; default: print JSON.")
    ] = None,
    worker: Annotated[
        str | None, typer.Option(help="URL of a worker, or 'any'; default: run here.")
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(help="Where to write the worker's receipt.")
    ] = None,
    max_price: Annotated[
        int | None, typer.Option(min=0, help="Refuse a worker that asks more, in smallest units.")
    ] = None,
    engine: Annotated[
        RunEngine, typer.Option(help="What runs it here; see `caimi engines`.")
    ] = RunEngine.ONNX,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="With --engine wasm: weights are opened as they are used."),
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(help="Of --engine remote: http(s):// or grpc(s):// host:port."),
    ] = None,
    server_model: Annotated[
        str | None, typer.Option(help="The model's name there, [name]@[version].")
    ] = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a licensed model here, or have a worker run it and sign a receipt.

    Example: [bold]caimi run caimi:eip155:31337:0x…@1.0.0 -i rows.npy -k bob[/bold]
    """
    if receipt is not None and worker is None:
        raise typer.BadParameter("a receipt comes from a worker: add --worker any")
    if (engine is RunEngine.REMOTE) is (server is None) or (server and worker):
        raise typer.BadParameter("--engine remote needs --server, and nothing else takes it")

    if stream and engine is not RunEngine.WASM:
        raise typer.BadParameter("--stream goes with --engine wasm")

    async def work(net: AsyncNetwork) -> None:
        from caimi.inference.tensor_files import read_tensors

        signed = None
        if server is not None:
            session = await net.open_remote(uri, server, server_model)
            values = read_tensors(inputs, session.inputs)
            outputs = await asyncio.to_thread(session.run, values)
        elif stream:
            from caimi.inference.wasm.hosting.host import ModuleHost

            with ModuleHost() as host:
                session = await net.open_streamed(uri, host)
                values = read_tensors(inputs, session.inputs)
                outputs = await asyncio.to_thread(session.run, values)
        elif worker is None:
            with progress_bars(quiet=as_json) as progress:
                session = await net.load(uri, engine=engine.value, progress=progress)
            outputs = session.run(read_tensors(inputs, session.inputs))
        else:
            shown = await net.show(uri)
            answer = await net.ask(
                uri,
                read_tensors(inputs, shown.manifest.inputs),
                worker=None if worker == "any" else worker,
                max_price=max_price,
            )
            outputs = answer.outputs
            signed = None if receipt is None else (receipt, answer.receipt)
        keep_answer(outputs, output, signed, as_json=as_json)

    guarded(as_json, lambda: check_places(output, receipt))
    with_network(config, key, as_json, work)


def verify(
    subject: Annotated[str, typer.Argument(help="A model URI, or a receipt file.")],
    directory: Annotated[
        Path | None, typer.Option("--files", help="Plain files to check against the manifest.")
    ] = None,
    inputs: Annotated[
        Path | None, typer.Option("--input", "-i", help="The input that a receipt is about.")
    ] = None,
    outputs: Annotated[
        Path | None, typer.Option("--output", "-o", help="The output that a receipt is about.")
    ] = None,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Run the receipt's model here on --input, and compare.")
    ] = False,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a published version, pulled files, or a worker's receipt. Exits 1 when a check fails.

    Example: [bold]caimi verify receipt.json -i rows.npy -o answer.json --rerun[/bold]
    """
    about_receipt = rerun or inputs is not None or outputs is not None

    async def work(net: AsyncNetwork) -> bool:
        if subject.startswith("caimi:"):
            if about_receipt:
                raise UsageError("--input, --output and --rerun go with a receipt.")
            result = await net.verify(subject, directory)
        elif directory is not None:
            raise UsageError("--files goes with a model URI, not with a receipt.")
        elif about_receipt:
            result = await _verify_receipt(net, Path(subject), inputs, outputs, rerun=rerun)
        else:
            result = await net.verify_receipt(subject)
        if as_json:
            print_json({"ok": result.ok, "subject": result.subject, "checks": result.checks})
        else:
            marks = {"passed": "yes", "failed": "NO", "unchecked": "not checked"}
            table(
                f"Verification of {result.subject}",
                ("check", "holds", "detail"),
                [(check.name, marks[check.state], check.detail) for check in result.checks],
            )
        return result.ok

    if not with_network(config, key, as_json, work):
        raise typer.Exit(1)


async def _verify_receipt(
    net: AsyncNetwork, receipt: Path, inputs: Path | None, outputs: Path | None, *, rerun: bool
) -> Verified:
    from caimi.client.verify import model_of, read_receipt
    from caimi.inference.engines import checker_of
    from caimi.inference.tensor_files import read_tensors

    if rerun and inputs is None:
        raise UsageError("--rerun needs --input: the model is run on it.")
    signed = read_receipt(receipt)
    uri, engine = str(model_of(signed)), checker_of(signed.receipt)
    manifest = (await net.show(uri)).manifest
    return await net.verify_receipt(
        receipt,
        inputs=None if inputs is None else read_tensors(inputs, manifest.inputs),
        outputs=None if outputs is None else read_tensors(outputs, manifest.outputs),
        session=await net.load(uri, engine=engine.name) if rerun else None,
        answer=engine.answer,
    )


def history(
    uri: UriArgument,
    alias: Annotated[str | None, typer.Option(help="Only this alias's history.")] = None,
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List everything that happened to a model, on every ledger, or to one of its aliases.

    Example: [bold]caimi history caimi:eip155:31337:0x…[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        if alias is not None:
            changes = await net.alias_history(uri, alias)
            if as_json:
                print_json({"ok": True, "alias": alias, "changes": changes})
            else:
                table(
                    f"Alias {alias}",
                    ("time", "version"),
                    [(_when(c.time), c.version) for c in changes],
                )
            return
        with block_bars(quiet=as_json) as progress:
            lines = await net.history(uri, progress=progress)
        if as_json:
            print_json({"ok": True, "history": lines})
        else:
            table(
                "History",
                ("time", "ledger", "block", "event", "detail", "tx"),
                [
                    (_when(ln.time), ln.ledger, ln.height, _event(ln), ln.detail, f"{ln.tx[:10]}…")
                    for ln in lines
                ],
            )

    with_network(config, key, as_json, work)


def set_alias(
    uri: UriArgument,
    alias: Annotated[str, typer.Argument(help="Such as production.")],
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Point an alias at a version; its history keeps every earlier target.

    Example: [bold]caimi alias caimi:eip155:31337:0x…@1.1.0 production[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        receipt = await net.set_alias(uri, alias)
        if as_json:
            print_json({"ok": True, "alias": alias, "uri": uri, "tx": receipt.tx})
        else:
            say("{} now points at {}.", alias, uri)

    with_network(config, key, as_json, work)


def deprecate(
    uri: UriArgument,
    reason: Annotated[str, typer.Option(help="Why, for those who use it.")],
    config: ConfigOption = None,
    key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mark a version as deprecated: no new licences, no new aliases.

    Example: [bold]caimi deprecate caimi:eip155:31337:0x…@1.0.0 --reason "see 1.1.0"[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        receipt = await net.deprecate(uri, reason)
        if as_json:
            print_json({"ok": True, "uri": uri, "tx": receipt.tx})
        else:
            say("{} is deprecated.", uri)

    with_network(config, key, as_json, work)


def _tensor(tensor: Tensor) -> str:
    shape = "any shape" if tensor.shape is None else ", ".join(map(str, tensor.shape))
    return f"{tensor.name} {tensor.dtype}[{shape}]"


def _event(line: HistoryLine) -> str:
    return line.event if line.final else f"{line.event} (not final yet)"


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def vars_of(result: object) -> dict[str, object]:
    """Give a result dataclass's fields by name."""
    return {name: getattr(result, name) for name in result.__dataclass_fields__}  # type: ignore[attr-defined]
