"""Fabric ledgers for trying things out (port `Sandbox`): a network of two organisations each.

What runs them needs gRPC, and is imported only when they are started.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from caimi.errors.ledgers import LedgerUnavailable
from caimi.extras import extra_named
from caimi.ledgers.fabric.administration import FabricAdministration
from caimi.ledgers.fabric.local.kept_place import read_place
from caimi.ledgers.fabric.local.programs import find_programs
from caimi.ledgers.fabric.machine import FabricMachine
from caimi.ledgers.fabric.settings import FabricPlace
from caimi.ledgers.machine.administration import MachineAdministered
from caimi.ledgers.machine.coins import MachineCoins
from caimi.ledgers.machine.ed25519_keys import Ed25519Key
from caimi.ledgers.machine.ledger import MachineLedger
from caimi.ledgers.port import Account, LedgerPlace, Signer

RICHES: Final = 1_000_000
"""What people get of the accounting asset, in whole units."""
_START_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True)
class FabricSandbox(MachineAdministered):
    """A ledger that `admin` administers; people have keys of their own here.

    The file `ahead` says by how many seconds its organisations' clocks are moved.
    """

    keys: Mapping[bytes, Ed25519Key]
    ahead: Path

    def key_of(self, person: Signer) -> Ed25519Key:
        """Give a person's key here."""
        return self.keys[person.account]

    async def pass_time(self, seconds: int) -> None:
        """Move the clocks of both organisations, and the ledger's with them."""
        machine = self.ledger.machine
        assert isinstance(machine, FabricMachine), "the ledger was started here"
        shift = int(self.ahead.read_text()) + seconds
        self.ahead.write_text(str(shift))
        await machine.tick(int(time.time()) + shift)


class FabricSandboxes:
    """A kind of them (ports `SandboxKind` and `LastingKind`)."""

    def check(self) -> None:
        """Find what runs them.

        Raises:
            ExtraMissing: gRPC is not installed.
            FabricProgramsMissing, FabricProgramsDamaged: Fabric's programs are not there.
        """
        with extra_named("fabric"):
            import grpc  # noqa: F401, PLC0415 - an extra
        find_programs()

    def service(self, place: int, name: str, *, port: int, folder: Path) -> FabricService:
        """Make ready to keep one in a folder, on ports that are chosen there, once."""
        return FabricService(name, folder)

    async def start(
        self, stack: AsyncExitStack, place: int, people: Sequence[Signer]
    ) -> FabricSandbox:
        """See `SandboxKind.start`.

        Raises:
            ExtraMissing, FabricProgramsMissing, FabricProgramsDamaged: as `check`.
            FabricNodeFailed: a process of the network cannot be started.
        """
        self.check()
        from caimi.ledgers.fabric.local import hosting  # noqa: PLC0415 - an extra

        root = Path(stack.enter_context(TemporaryDirectory(prefix="caimi-fabric-")))
        network = await stack.enter_async_context(hosting.running_ledger(root))
        where, admin = hosting.place_in(network.layout, f"fabric{place}"), Ed25519Key()
        await FabricAdministration().deploy(where, admin)
        ledger = _ledger_at(where)
        stack.push_async_callback(ledger.aclose)
        keys = {person.account: Ed25519Key() for person in people}
        await _mint(ledger, hosting.issuer_in(root), [each.account for each in keys.values()])
        return FabricSandbox(ledger, admin, keys, root / hosting.AHEAD)


class FabricService:
    """A network with CAIMI's chaincode on its channel, kept in `folder` (port `LedgerService`)."""

    url: str | None = None

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.said = "Hyperledger Fabric, an orderer and two organisations"
        self._folder = folder.absolute()

    @property
    def place(self) -> LedgerPlace:
        """Read where it is; raises as `read_place`."""
        return read_place(self._folder, self.name)

    @property
    def command(self) -> list[str]:
        """The program that runs all processes of the network."""
        program = "caimi.ledgers.fabric.local.keeper"
        return [sys.executable, "-m", program, f"--folder={self._folder}"]

    async def wait_ready(self) -> None:
        """Wait until the network has the chaincode on its channel.

        Raises:
            LedgerUnavailable: that is not so within a minute.
        """
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                _ = self.place
            except LedgerUnavailable:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                return

    async def fund(self, accounts: Sequence[bytes]) -> None:
        """Have the issuer mint for each of them; before the ledger is founded there is nothing."""
        from caimi.ledgers.fabric.local.hosting import issuer_in  # noqa: PLC0415 - an extra

        ledger = _ledger_at(self.place)
        try:
            machine = ledger.machine
            assert isinstance(machine, FabricMachine), "it was made here"
            if await machine.terms() is not None:
                await _mint(ledger, issuer_in(self._folder), accounts)
        finally:
            await ledger.aclose()

    def outgrown(self) -> str | None:
        """Say nothing: blocks are in files, which may be as large as the disk."""
        return None


def _ledger_at(place: LedgerPlace) -> MachineLedger:
    from caimi.ledgers.fabric.connecting import ledger_over  # noqa: PLC0415 - an extra

    said = FabricPlace.model_validate(dict(place.told))
    return ledger_over(place.id, said, said.peers)


async def _mint(ledger: MachineLedger, issuer: Ed25519Key, accounts: Sequence[bytes]) -> None:
    """Give each account what it can pay with."""
    coins = ledger.coins
    assert isinstance(coins, MachineCoins), "local networks have an accounting asset"
    amount = coins.asset.of(RICHES * 10**coins.asset.decimals)
    await asyncio.gather(
        *(
            ledger.submit(coins.mint(Account(ledger.id, account), amount), issuer)
            for account in accounts
        )
    )


FABRIC: Final = FabricSandboxes()
