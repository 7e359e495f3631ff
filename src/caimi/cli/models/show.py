"""`caimi show`: everything about one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caimi.cli.options import ConfigOption, JsonOption, KeyOption, UriArgument, with_network
from caimi.cli.output import facts, fields_of, print_json, table

if TYPE_CHECKING:
    from caimi.client.network import AsyncNetwork
    from caimi.models.tensor import Tensor


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
            print_json({"ok": True, **fields_of(shown), "manifest": shown.manifest.to_json()})
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


def _tensor(tensor: Tensor) -> str:
    shape = "any shape" if tensor.shape is None else ", ".join(map(str, tensor.shape))
    return f"{tensor.name} {tensor.dtype}[{shape}]"
