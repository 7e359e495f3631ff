"""`caimi show`: everything about one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from caimi.cli.options import ConfigOption, JsonOption, UriArgument, with_network
from caimi.cli.output import block_bars, facts, fields_of, print_json, table

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork
    from caimi.models.manifest import Manifest
    from caimi.models.tensor import Tensor


def show(
    uri: UriArgument,
    lineage: Annotated[
        bool, typer.Option("--lineage", help="Also tell all versions that it was made from.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell everything about a model: owner, versions, prices, signature, files, lineage.

    Example: [bold]caimi show caimi:eip155:31337:0x…@production[/bold]
    """

    async def work(net: AsyncNetwork) -> None:
        with block_bars(quiet=as_json) as progress:
            shown = await net.show(uri, progress=progress)
        family = await net.lineage(shown.uri) if lineage else ()
        if as_json:
            told = {"lineage": [_ancestor(each) for each in family]} if lineage else {}
            print_json(
                {"ok": True, **fields_of(shown), "manifest": shown.manifest.to_json(), **told}
            )
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
                "aliases": ", ".join(f"{name} is {v}" for name, v in shown.aliases.items()),
                "prices": ", ".join(f"{each.said} on {each.ledger}" for each in shown.prices)
                or "not for sale",
                "framework": manifest.framework,
                "licence": f"{manifest.licence}; {shown.licences} granted",
                "inputs": ", ".join(map(_tensor, manifest.inputs)),
                "outputs": ", ".join(map(_tensor, manifest.outputs)),
                "metrics": ", ".join(f"{k} {v:.4g}" for k, v in (manifest.metrics or {}).items()),
                "description": manifest.card.description,
                "contributors": ", ".join(f"{c.role} {c.account}" for c in manifest.contributors),
                "manifest": f"0x{manifest.digest.hex()}",
            },
        )
        table(
            "Files",
            ("path", "bytes", "sha256"),
            [(file.path, file.size, file.sha256.hex()) for file in manifest.files],
        )
        if lineage:
            table(
                "Lineage",
                ("model", "version", "manifest", "made from", "contributors"),
                [_family_line(each) for each in family],
            )

    with_network(config, None, as_json, work, reading=True)


def _ancestor(manifest: Manifest) -> dict[str, object]:
    return {
        "manifest": f"0x{manifest.digest.hex()}",
        "model_id": f"0x{manifest.model_id.hex()}",
        "name": manifest.name,
        "version": manifest.version,
        "publisher": manifest.publisher,
        "parents": [f"0x{parent.hex()}" for parent in manifest.parents],
        "contributors": [each.to_json() for each in manifest.contributors],
    }


def _family_line(manifest: Manifest) -> tuple[str, ...]:
    return (
        manifest.name,
        manifest.version,
        f"0x{manifest.digest.hex()[:16]}…",
        ", ".join(f"0x{parent.hex()[:16]}…" for parent in manifest.parents),
        ", ".join(f"{each.role} {each.account}" for each in manifest.contributors),
    )


def _tensor(tensor: Tensor) -> str:
    shape = "any shape" if tensor.shape is None else ", ".join(map(str, tensor.shape))
    return f"{tensor.name} {tensor.dtype}[{shape}]"
