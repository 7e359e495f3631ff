"""Two joined ledgers that a person's commands reach, and a packet that was sent on the first."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from caimi.cli.app import app
from caimi.client.keyring import Keyring
from caimi.composition.joining import join_ledgers
from caimi.config import load_config
from caimi.keystore import LocalSigner
from caimi.ledgers.evm.administration.administering import EvmAdministered
from caimi.ledgers.evm.administration.deploying import deploy
from caimi.ledgers.evm.ledger import EvmLedger
from caimi.ledgers.evm.local.embedded import EmbeddedChain
from caimi.ledgers.evm.local.in_process import embedded_chain
from caimi.ledgers.port import Account, Asset
from caimi.messaging.checkpoint import make_committee
from embedded_node import node_of

runner = CliRunner()
COIN = 10**18


@dataclass
class Payer:
    """Two joined ledgers, and a packet that was sent on the first."""

    config: Path
    account: str
    ledger: EvmLedger
    client: str

    def run(self, *arguments: str) -> dict[str, object]:
        done = runner.invoke(app, [*arguments, "--config", str(self.config), "--json"])
        document: dict[str, object] = json.loads(done.output)
        assert document["ok"] == (done.exit_code == 0)
        return document

    def owed(self, account: str) -> int:
        who = self.ledger.accounts.parse(account)
        return asyncio.run(self.ledger.fees.owed(who)).units

    def pass_time(self, seconds: int) -> None:
        async def work() -> None:
            await self.ledger.chain.rpc.ask("evm_increaseTime", seconds)
            await self.ledger.chain.rpc.ask("evm_mine")

        asyncio.run(work())


@contextmanager
def two_ledgers(folder: Path) -> Iterator[Payer]:
    """Start them; the passphrase is in the environment."""
    config = folder / "caimi.toml"
    config.write_text("")
    rich = Keyring(load_config(config)).new("a").signer
    chains = [EmbeddedChain(31337 + n, {rich.account: 1000 * COIN}) for n in range(2)]
    members = tuple(LocalSigner.generate().account for _ in range(3))

    async def prepare() -> tuple[list[EvmLedger], str]:
        a, b = [
            EvmLedger(embedded_chain(one), await deploy(embedded_chain(one), rich))
            for one in chains
        ]
        client, _ = await join_ledgers(
            EvmAdministered(a, rich), EvmAdministered(b, rich), make_committee(0, 2, members)
        )
        model = b.registry.model_id(Account(b.id, rich.account), "m")
        timeout = (await a.head()).time + 3600
        call = await a.market.buy_remote(client, model, "1.0.0", Asset(a.id, b"").of(500), timeout)
        await a.submit(call, rich)
        return [a, b], client

    ledgers, client = asyncio.run(prepare())
    with ExitStack() as stack:
        text = ""
        for name, chain, ledger in zip("ab", chains, ledgers, strict=True):
            contracts = "".join(
                f'{place} = "0x{address.hex()}"\n'
                for place, address in ledger.deployment.contracts.items()
            )
            text += (
                f'[[ledgers]]\nid = "{ledger.id}"\nname = "{name}"\n'
                f'rpc = "{stack.enter_context(node_of(chain))}"\nfinality = "depth:0"\n'
                f"deployed_at = {ledger.deployed_at}\n[ledgers.contracts]\n{contracts}"
            )
        config.write_text(text)
        yield Payer(config, f"0x{rich.account.hex()}", ledgers[0], client)
