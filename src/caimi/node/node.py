"""One node: a validator and, once it holds a key share, a custodian."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from caimi import __version__
from caimi.custody.custodian import Custodian
from caimi.custody.grants import LedgerGrants
from caimi.custody.keys import KeyShare
from caimi.custody.keyshare_file import load_key_share
from caimi.custody.tombstones import FileTombstones
from caimi.errors.base import CaimiError
from caimi.errors.node import RoleMissing, SignerShared
from caimi.hex_text import read_either_case, read_hex
from caimi.keystore import LocalSigner
from caimi.ledgers.port import Ledger, LedgerId, Signer
from caimi.logs import logger
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.ibc_attestor import IbcAttestor
from caimi.messaging.validator import Validator, log_alarm
from caimi.messaging.witnesses import Witnesses
from caimi.node.ceremony_records import CeremonyRecords
from caimi.node.key_generation import KeyGeneration, Terms
from caimi.node.lanes import Lanes
from caimi.node.ledger_health import LedgerHealth
from caimi.node.metrics import NodeMetrics
from caimi.node.settings import NodeSettings
from caimi.persistence import open_signed_store

_log = logger(__name__)


class Node:
    """The roles of one committee member over its own ledger connections.

    `passphrase` protects the key share's file. `witnesses` are the several endpoints of a ledger
    that its validator compares; of a ledger without, the validator believes its one connection.
    `attestor` signs attestations, and what the custodian gives, in the place of `signer`.
    `ibc_signers` attest one ledger each in ibc-go's format.

    Construction raises `SignerShared` when two of all these keys are the same.
    """

    def __init__(
        self,
        settings: NodeSettings,
        signer: LocalSigner,
        ledgers: Mapping[LedgerId, Ledger],
        passphrase: bytes,
        *,
        witnesses: Mapping[LedgerId, Witnesses] | None = None,
        attestor: Signer | None = None,
        ibc_signers: Mapping[LedgerId, Signer] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.signer = signer
        self.metrics = NodeMetrics()
        self._ledgers = ledgers
        self._passphrase = passphrase
        self._attestor = attestor or signer
        self._clock = clock
        self._health = LedgerHealth(ledgers, self._observe, time.monotonic)
        self.lanes = Lanes(ledgers)
        self._custodian: Custodian | None = None
        members = [read_either_case(member.account) for member in settings.committee]
        signed = open_signed_store(settings.database, settings.path(settings.signed))
        own = {signer.account, self._attestor.account}
        others = [each.account for each in (ibc_signers or {}).values()]
        if len({*own, *others}) < len(own) + len(others):
            raise SignerShared("Two of this node's attesting keys are the same.")
        seen = {name: Witnesses.of(ledger) for name, ledger in ledgers.items()}
        seen.update(witnesses or {})
        self._ibc_attestors = {
            name: IbcAttestor(each, seen[name], signed)
            for name, each in (ibc_signers or {}).items()
        }
        self.validator = Validator(
            self._attestor,
            make_committee(settings.epoch, settings.threshold, members),
            seen,
            signed,
            alarm=self._alarm,
        )
        self._records = CeremonyRecords(
            settings.path(settings.key_generation), self._share_file, passphrase
        )
        coordinator = settings.coordinator
        self.key_generation = KeyGeneration(
            signer.private_key,
            Terms(
                tuple(read_hex(member.public_key) for member in settings.committee),
                settings.threshold,
                read_either_case(coordinator) if coordinator else None,
            ),
            self._records,
            ledgers,
            self._become_custodian,
            clock,
        )

    @property
    def _share_file(self) -> Path:
        return self.settings.path(self.settings.key_share)

    async def open(self) -> None:
        """Take up the custodian's role if a key share is on disk.

        Raises:
            CeremonyRecordDamaged, KeyShareFileError: a file is damaged or cannot be read.
            WrongPassphrase: the passphrase is wrong.
        """
        await asyncio.to_thread(self._records.recover)
        if self._share_file.exists():
            share = await asyncio.to_thread(load_key_share, self._share_file, self._passphrase)
            self._become_custodian(share)

    def _alarm(self, ledger: LedgerId, error: CaimiError) -> None:
        log_alarm(ledger, error)
        self.metrics.alarms.labels(ledger, error.code).inc()

    async def look_back(self, every_seconds: float) -> None:
        """Look for ever whether what was signed still stands, and how far each ledger is final."""
        while True:
            await self.validator.look_back()
            stopped = await self.validator.stopped()
            for name in self._ledgers:
                self.metrics.signing_stopped.labels(name).set(name in stopped)
            for name, seen in (await self._health.look()).items():
                if not seen["ok"]:
                    _log.warning("%s: %s", name, seen["error"])
            await asyncio.sleep(every_seconds)

    def _observe(self, ledger: LedgerId, height: int, at: int) -> None:
        self.metrics.final_height.labels(ledger).set(height)
        self.metrics.final_time.labels(ledger).set(at)

    def _become_custodian(self, share: KeyShare) -> None:
        self._custodian = Custodian(
            share,
            self._attestor,
            LedgerGrants(self._ledgers),
            FileTombstones(self.settings.path(self.settings.tombstones)),
            self._clock,
        )

    def custodian(self) -> Custodian:
        """Give the custodian's role.

        Raises:
            RoleMissing: there is no key share yet.
        """
        if self._custodian is None:
            raise RoleMissing("This node holds no key share.")
        return self._custodian

    def ibc_attestor(self, ledger: LedgerId) -> IbcAttestor:
        """Give what attests a ledger in ibc-go's format.

        Raises:
            RoleMissing: nothing here does.
        """
        if ledger not in self._ibc_attestors:
            raise RoleMissing(f"This node does not attest {ledger} in ibc-go's format.")
        return self._ibc_attestors[ledger]

    def identity(self) -> dict[str, object]:
        """Tell who this node is; nothing secret."""
        roles = ["validator", "custodian"] if self._custodian else ["validator"]
        group = self._custodian.key_share.group if self._custodian else None
        return {
            "index": self.settings.index,
            "version": __version__,
            "time": time.time(),
            "account": f"0x{self.validator.account.hex()}",
            "key": f"0x{self.signer.private_key.public_key.format().hex()}",
            "roles": roles,
            "group_key": f"0x{group.to_bytes().hex()}" if group else None,
            "ledgers": list(self._ledgers),
            "ibc_attestors": {name: each.name for name, each in self._ibc_attestors.items()},
        }

    async def health(self) -> dict[str, object]:
        """Tell whether every ledger answers, and how far each is final, in bounded time."""
        ledgers = await self._health.look()
        return {
            "ok": all(entry["ok"] for entry in ledgers.values()),
            "version": __version__,
            "custodian": self._custodian is not None,
            "signing_stopped": list(await self.validator.stopped()),
            "ledgers": ledgers,
        }
