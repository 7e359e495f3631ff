"""`caimi verify`: a published version, pulled files, or a worker's receipt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import ConfigOption, JsonOption, KeyOption, with_network
from caimi.cli.output import print_json, table
from caimi.cli.waiting import stages
from caimi.errors.operations import UsageError

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork
    from caimi.client.verify import Verified


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
            with stages(quiet=as_json) as progress:
                result = await net.verify(subject, directory, progress=progress)
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

    if not with_network(config, key, as_json, work, reading=not rerun):
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
