"""Ledgers in memory that say whatever they are told to, about their own and each other's models.

Each implements what `home_model`, grants, resolving and receipt checks read of the port `Ledger`.
What a ledger says holds from a height on, so that reads at a height have an answer of their own.
"""

import hashlib
from dataclasses import dataclass, field

from caimi.errors.ledgers import HistoryGone, UnknownModel, UnknownVersion
from caimi.ledgers.evm.abi.accounts import EvmAccounts
from caimi.ledgers.port import (
    FINAL,
    NEWEST,
    Account,
    Block,
    Exactly,
    Licence,
    ModelRecord,
    VersionRecord,
)

NO_LICENCE = Licence(bytes(32), 0, False)
FOREVER = 1 << 60


def address(number):
    return hashlib.sha256(b"account %d" % number).digest()[:20]


@dataclass
class LyingLedger:
    """A ledger and its facets in one; `final` is what it says is final.

    Without `keeps_past` it shows its newest final state only, as a Fabric channel does.
    """

    number: int
    final: int = 10
    keeps_past: bool = True
    said: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    approved: list = field(default_factory=list)

    @property
    def id(self):
        return f"eip155:{self.number}"

    @property
    def accounts(self):
        return EvmAccounts(self.id)

    @property
    def registry(self):
        return self

    market = contract_accounts = registry

    async def finalized(self):
        return Block(self.final, self.final, bytes(32))

    def account(self, address):
        return Account(self.id, address)

    def model_id(self, publisher, name):
        """What this ledger's registry can give and no other's; nothing that it says is in it."""
        return hashlib.sha256(self.id.encode() + publisher.native + name.encode()).digest()

    def say(self, what, key, value, height=0):
        """From `height` on, answer `value` when asked `what` about `key`."""
        self.said.append((height, what, key, value))

    def say_model(self, model_id, publisher, name, owner, *, home=b"", height=0):
        accounts = self.account(publisher), self.account(owner)
        record = ModelRecord(model_id, name, *accounts, home, 1)
        self.say("model", model_id, record, height)

    def say_licence(self, model_id, version, consumer, live, height=0):
        consumer = Account.from_caip(consumer)
        licence = Licence(bytes(32), 1, not live)
        self.say("licence", (model_id, version, consumer), licence, height)

    def say_version(self, model_id, version, manifest, height=0):
        self.say("version", (model_id, version), VersionRecord(version, manifest, 1, False), height)

    def _until(self, at):
        if not isinstance(at, Exactly):
            return self.final if at is FINAL else FOREVER
        if not self.keeps_past and at.height != self.final:
            raise HistoryGone(f"{self.id} keeps {self.final} only.")
        return at.height

    def _answer(self, what, key, at):
        self.asked.append((what, at))
        until = self._until(at)
        found = [(h, n, v) for n, (h, w, k, v) in enumerate(self.said) if (w, k) == (what, key)]
        return max(((h, n, v) for h, n, v in found if h <= until), default=(0, 0, None))[2]

    async def model(self, model_id, at=NEWEST):
        record = self._answer("model", model_id, at)
        if record is None:
            raise UnknownModel(f"{self.id} knows no such model.")
        return record

    async def version(self, model_id, version, at=NEWEST):
        record = self._answer("version", (model_id, version), at)
        if record is None:
            raise UnknownVersion(f"{self.id} knows no such version.")
        return record

    async def versions(self, model_id, at=NEWEST):
        return [v for _, w, (i, *_), v in self.said if w == "version" and i == model_id]

    async def licence(self, model_id, version, consumer, at=NEWEST):
        return self._answer("licence", (model_id, version, consumer), at) or NO_LICENCE

    async def approves(self, account, digest, signature, at=NEWEST):
        self.asked.append(("approves", at))
        wanted = [account.native, digest, signature]
        return any(height <= self._until(at) and said == wanted for height, *said in self.approved)
