"""Bringing a local network up and down, and telling how it is."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caimi.client.keyring import Keyring
from caimi.composition.sandboxes import kinds_in, lasting_kind
from caimi.config import CONFIG_NAME, Config, load_config
from caimi.credentials import read_secret_file
from caimi.devnet import processes
from caimi.devnet.founding import PASSPHRASE, READY_SECONDS, Founding
from caimi.devnet.health import NO_SUPERVISOR, Health, health_of
from caimi.devnet.locking import locked
from caimi.devnet.moving import follow_plan
from caimi.devnet.plan import NetworkPlan, check_ports
from caimi.devnet.processes import Process
from caimi.devnet.programs import LEDGER, NODE, SUPERVISOR, all_programs, ledger_services
from caimi.devnet.supervisor import orders
from caimi.errors.base import CaimiError
from caimi.errors.node import (
    DevnetBusy,
    DevnetFolderUnsafe,
    DevnetMissing,
    DevnetRunning,
    ProcessFailed,
    ProcessListDamaged,
)
from caimi.errors.operations import UsageError
from caimi.extras import check_extras
from caimi.ledgers.port import LastingKind, LedgerService

FOLDER: Final = ".caimi"
LEDGERS: Final = "anvil"
"""The kind of ledgers unless others are chosen."""
_LOCK: Final = "lock"
_LOOK_SECONDS: Final = 0.3
_END_SECONDS: Final = 3 * processes.STOP_SECONDS


@dataclass(frozen=True, slots=True)
class Started:
    """What a user needs to know of a network that is up."""

    config: Path
    accounts: dict[str, str]


class Devnet:
    """The local network whose files are in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.folder = self.directory / FOLDER
        self._list = self.folder / "processes.json"
        self._plan = self.folder / "network.json"

    # --- up ---------------------------------------------------------------------------------------

    async def up(
        self,
        tell: Callable[[str], None],
        ledgers: Sequence[str] | None = None,
        *,
        base: int | None = None,
        fresh: bool = False,
    ) -> Started:
        """Start everything, and go on where it was; the first time, or `fresh`, make it.

        It is made with `ledgers` of these kinds and ports from `base` on, and `caimi.toml` is
        written. What was started is ended again on failure, unless some of it ran before.

        Raises:
            UsageError: there is no such kind, its ledgers do not last, there are too many, or the
                network that is here has others.
            PortTaken: somebody listens on one of its ports.
            DevnetBusy: another command is just starting or ending it.
            DevnetFolderUnsafe: others can write to its folder.
            DevnetRunning: it is up, and what was asked needs it to be down.
            ProcessFailed: a process did not become ready; its log's end is in the message.
            ExtraMissing, AnvilMissing…: what it needs is not installed.
        """
        if ledgers is not None:
            for name in ledgers:
                lasting_kind(name)
            NetworkPlan.of(ledgers, base)
        self._refuse_a_foreign_configuration()
        with self._alone():
            plan = None if fresh else NetworkPlan.load(self._plan)
            alive = [process.name for process in self._known(damaged=fresh) if process.alive]
            if alive and (fresh or plan is None):
                raise DevnetRunning(f"A network is already up in {self.directory}.")
            if plan is None or not plan.made:
                await self._found(
                    tell, ledgers or (plan.kinds if plan else kinds_in(LEDGERS)), base
                )
            else:
                plan = self._chosen(plan, ledgers, base)
                await self._go_on(tell, plan, began=not alive)
        return self._started()

    async def _found(
        self, tell: Callable[[str], None], ledgers: Sequence[str], base: int | None
    ) -> None:
        check_extras("service", "wasm")  # which its nodes and its worker need
        plan, kinds = NetworkPlan.of(ledgers, base), _kinds(ledgers)
        self._end_all()
        check_ports(plan.ports)
        self._forget()
        plan.save(self._plan)
        founding = Founding(self.directory, self.folder, self._list, tell)
        try:
            await founding.run(plan, kinds)
            plan = plan.model_copy(update={"made": True})
            plan.save(self._plan)
            await self._supervise(plan, kinds)
        except BaseException:
            self._end_all()
            raise

    async def _go_on(self, tell: Callable[[str], None], plan: NetworkPlan, *, began: bool) -> None:
        kinds = _kinds(plan.kinds)
        if plan.moving:
            services = ledger_services(plan, kinds, self.folder)
            await asyncio.to_thread(follow_plan, plan, services, self.directory, self.folder)
            plan = plan.model_copy(update={"moving": False})
            plan.save(self._plan)
        supervisor = self._supervisor()
        if supervisor is None or not supervisor.alive:
            running = {process.name for process in self._known() if process.alive}
            check_ports({name: port for name, port in plan.ports.items() if name not in running})
        try:
            await self._supervise(plan, kinds)
            await self._until_well(tell, plan)
        except BaseException:
            if began:
                self._end_all()
            raise

    async def _supervise(self, plan: NetworkPlan, kinds: Sequence[LastingKind]) -> None:
        """See to it that a supervisor runs, and that it gives nothing up that it gave up before."""
        supervisor = self._supervisor()
        if supervisor is not None and supervisor.alive:
            processes.send(supervisor, signal.SIGHUP)
            return
        programs = all_programs(plan, kinds, self.directory, self.folder)
        passphrase = await asyncio.to_thread(read_secret_file, self.folder / PASSPHRASE)
        command = [sys.executable, "-m", "caimi.devnet.supervisor", self.folder, self._list]
        started = processes.start(
            SUPERVISOR, list(map(str, command)), self.folder, secret=orders(programs, passphrase)
        )
        deadline = time.monotonic() + READY_SECONDS
        while not ((listed := self._supervisor()) and listed.pid == started.pid):
            processes.reap([started])
            if not started.alive or time.monotonic() > deadline:
                raise ProcessFailed(f"The supervisor is not ready: {started.log_tail()}")
            await asyncio.sleep(0.05)

    async def _until_well(self, tell: Callable[[str], None], plan: NetworkPlan) -> None:
        """Wait until every process is well, telling of each that becomes so."""
        wanted, told = {*plan.names, SUPERVISOR}, set[str]()
        deadline = time.monotonic() + 2 * READY_SECONDS
        while True:
            health = await self.status()
            for each in health:
                if each.ok and each.name not in told:
                    told.add(each.name)
                    tell(f"{each.name}: {each.detail}")
            if told >= wanted and all(each.ok for each in health):
                return
            bad = next((each for each in health if not each.ok), None)
            given_up = next((p for p in self._known() if "not started again" in p.said), None)
            if given_up is not None:
                raise ProcessFailed(f"{given_up.name} {given_up.said}: {given_up.log_tail()}")
            if time.monotonic() > deadline:
                late = bad.name if bad else ", ".join(sorted(wanted - told))
                raise ProcessFailed(f"{late} is not ready: {bad.detail if bad else 'not started'}.")
            await asyncio.sleep(_LOOK_SECONDS)

    # --- down and again ---------------------------------------------------------------------------

    def down(self) -> list[str]:
        """End what `up` started, and say what was ended. All of it stays for the next `up`.

        Raises:
            DevnetMissing: no network runs here.
            DevnetBusy: another command is just starting or ending it.
        """
        if not self.folder.exists():
            raise self._missing()
        with self._alone():
            if not self._known():
                raise self._missing()
            return self._end_all()

    async def restart(self, tell: Callable[[str], None], names: Sequence[str] = ()) -> Started:
        """Start some processes again, or all of them, and whatever is down besides.

        Raises:
            UsageError: the network has no such process.
            DevnetMissing: no network was made here.
            DevnetBusy, ProcessFailed, PortTaken: as `up`.
        """
        plan = NetworkPlan.load(self._plan)
        if plan is None or not plan.made:
            raise self._missing()
        unknown = [name for name in names if name not in plan.names]
        if unknown:
            raise UsageError(
                f"The network has no process {unknown[0]!r}; it has: {', '.join(plan.names)}."
            )
        with self._alone():
            if names:
                chosen = [process for process in self._known() if process.name in names]
                processes.stop(chosen)
            else:
                self._end_all()
            await self._go_on(tell, plan, began=not names)
        return self._started()

    def _end_all(self) -> list[str]:
        supervisor, known = self._supervisor(), self._known()
        ended = [process.name for process in known if process.alive]
        if supervisor is not None:
            processes.send(supervisor, signal.SIGTERM)
            deadline = time.monotonic() + _END_SECONDS
            while supervisor.alive and time.monotonic() < deadline:
                processes.reap([supervisor])
                time.sleep(0.05)
        processes.stop(list(reversed(self._known())))
        processes.sweep(self.folder)
        self._list.unlink(missing_ok=True)
        return ended

    # --- telling ----------------------------------------------------------------------------------

    async def status(self) -> list[Health]:
        """Tell how every process is.

        Raises:
            DevnetMissing: no network runs here.
        """
        known = self._known()
        if not known:
            raise self._missing()
        health = await health_of(known, self.directory, self._ledger_services())
        if self._supervisor() is None and self._plan.exists() and not self._busy():
            return [NO_SUPERVISOR, *health]
        return health

    def running(self) -> list[str]:
        """Name the processes that run."""
        return [process.name for process in self._known(damaged=True) if process.alive]

    def log_file(self, name: str = SUPERVISOR) -> Path:
        """Give the file of a process's log.

        Raises:
            DevnetMissing: no network was started here.
            UsageError: it has no such process.
        """
        names = sorted(file.stem for file in self.folder.glob("*.log"))
        if not names:
            raise DevnetMissing(f"No network was started in {self.directory}.")
        if name not in names:
            raise UsageError(f"There is no process {name!r} here; there are: {', '.join(names)}.")
        return self.folder / f"{name}.log"

    # --- files ------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with suppress(FileExistsError):
            self.folder.mkdir(parents=True, mode=0o700)
        found = self.folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise DevnetFolderUnsafe(
                f"{self.folder} is no directory of this user's that nobody else can write to."
            )
        with locked(self.folder / _LOCK, "`caimi devnet` command"):
            yield

    def _busy(self) -> bool:
        try:
            with self._alone():
                return False
        except DevnetBusy:
            return True

    def _known(self, *, damaged: bool = False) -> list[Process]:
        try:
            return processes.load(self._list)
        except ProcessListDamaged:
            if damaged:
                return []
            raise

    def _ledger_services(self) -> list[LedgerService]:
        try:
            plan = NetworkPlan.load(self._plan)
            return [] if plan is None else ledger_services(plan, _kinds(plan.kinds), self.folder)
        except CaimiError:
            return []  # a plan that is damaged, or of kinds that are not installed any more

    def _supervisor(self) -> Process | None:
        return next((each for each in self._known() if each.name == SUPERVISOR), None)

    def _refuse_a_foreign_configuration(self) -> None:
        file = self.directory / CONFIG_NAME
        ours = self.folder.exists() and any(each.name != _LOCK for each in self.folder.iterdir())
        if file.exists() and not ours:
            raise DevnetRunning(
                f"{file} is there and was not written by `caimi devnet`.",
                why="It would be overwritten.",
                next_step="Choose another --directory.",
            )

    def _chosen(
        self, plan: NetworkPlan, ledgers: Sequence[str] | None, base: int | None
    ) -> NetworkPlan:
        """Give the network that is here, on the ports that were chosen for it now."""
        if ledgers is not None and list(ledgers) != plan.kinds:
            raise UsageError(
                f"The network in {self.directory} has the ledgers {','.join(plan.kinds)}.",
                next_step="Leave --ledgers out, or make another network with --fresh.",
            )
        if base is None or plan.moved(base).ports == plan.ports:
            return plan
        if self.running():
            raise DevnetRunning(
                f"The network in {self.directory} runs on other ports.",
                next_step="Run `caimi devnet down` first.",
            )
        moved = plan.moved(base)
        check_ports(moved.ports)
        moved.save(self._plan)
        return moved

    def _forget(self) -> None:
        """Remove what another network has left: its ledgers, nodes, and its users' journal.

        Keys, the store and logs stay.
        """
        for folder in self.folder.glob("*"):
            if folder.is_dir() and folder.name.startswith((LEDGER, NODE)):
                shutil.rmtree(folder)
        for file in (self._list, self._plan):
            file.unlink(missing_ok=True)
        try:
            config = load_config(self.directory / CONFIG_NAME)
        except CaimiError:
            config = Config(home=self.directory)
        state = config.path(config.state)
        kept = [config.path(config.keys.directory), config.path(config.store.path), self.folder]
        apart = not any(each == state or state in each.parents for each in kept)
        ours = self.directory in state.parents and state.resolve() == state  # no link leads away
        if ours and apart:
            shutil.rmtree(state, ignore_errors=True)

    def _missing(self) -> DevnetMissing:
        return DevnetMissing(f"No network runs in {self.directory}.")

    def _started(self) -> Started:
        file = self.directory / CONFIG_NAME
        keyring = Keyring(load_config(file))
        return Started(file, {name: keyring.account(name) for name in ("alice", "bob")})


def _kinds(names: Sequence[str]) -> list[LastingKind]:
    kinds = [lasting_kind(name) for name in names]
    for kind in kinds:
        kind.check()
    return kinds
