"""The world that messaging tests live in: ledgers in memory, nodes before them, and a committee.

A `Chain` is what is true: it runs the real contracts (`memory_ledger`). Everybody sees it through a
`LyingNode` of their own, and each node can fail, lag and lie by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chains import Chain
from doors import Door
from member_keys import KeySigner

from caimi.ledgers.port import LedgerId
from caimi.messaging.checkpoint import make_committee
from caimi.messaging.progress import Progress
from caimi.messaging.relayer import Relayer
from caimi.messaging.validator import Validator
from caimi.persistence import open_signed_store
from caimi.persistence.signed_store import SqlSignedStore
from lying_node import LyingNode
from memory_ledger import Wallet

RELAYER = Wallet(b"relayer")
_NAMES = "abcdefgh"


@cache
def _empty_store() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite"
        open_signed_store(None, path).close()
        return path.read_bytes()


def _new_store(path: Path) -> SqlSignedStore:
    """Open a copy of an empty store: laying one out waits for the disk several times."""
    path.write_bytes(_empty_store())
    return open_signed_store(None, path)


class World:
    """`ledgers` chains, every one connected to every other, and a committee of `members`.

    With a `hub` only that one is connected. Nodes show what is past only in a world that
    `keeps_past`. With a `prefix` gateways name their clients without their ledger's name.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ledgers: int = 2,
        members: int = 3,
        threshold: int = 2,
        keeps_past: bool = False,
        hub: int | None = None,
        prefix: str = "",
    ) -> None:
        self.folder = folder
        self.keeps_past = keeps_past
        self.signers = [KeySigner(1_000 + place) for place in range(members)]
        self.committee = make_committee(1, threshold, [s.account for s in self.signers])
        self.chains = [Chain(name, 2, self._tick) for name in _NAMES[:ledgers]]
        for chain in self.chains:
            routes = chain.truth.contracts.gateway.routes
            routes.prefix = prefix or routes.prefix
        self._connect(self.chains if hub is None else self.chains[hub : hub + 1])
        self.nodes = [self.views() for _ in self.signers]
        self.stores = [_new_store(folder / f"{place}.sqlite") for place in range(members)]
        self.doors = [
            Door(f"validator {place}", Validator(signer, self.committee, views, store))
            for place, (signer, views, store) in enumerate(
                zip(self.signers, self.nodes, self.stores, strict=True)
            )
        ]

    def _connect(self, hubs: Sequence[Chain]) -> None:
        for a, b in combinations(self.chains, 2):
            if a in hubs or b in hubs:
                a.join(b, self.committee)

    @property
    def now(self) -> int:
        """What all ledgers agree the time is."""
        return self.chains[0].truth.clock

    def node(self, chain: Chain) -> LyingNode:
        """Put a node before a chain."""
        made = LyingNode(chain.ledger, keeps_past=self.keeps_past)
        made.takes = chain.check
        return made

    def views(self, chains: Iterable[Chain] | None = None) -> dict[LedgerId, LyingNode]:
        """Nodes for one participant."""
        return {chain.id: self.node(chain) for chain in chains or self.chains}

    def relayer(self, signer: Wallet = RELAYER, **settings: Any) -> Relayer:
        """Make a relayer on nodes of its own, whose clock is the world's."""
        for chain in self.chains:
            chain.enrol(signer)
        views = settings.pop("views", None) or self.views()
        signers = dict.fromkeys(views, signer)
        return Relayer(views, self.doors, signers, clock=lambda: float(self.now), **settings)

    def _tick(self, seconds: int = 1) -> None:
        for chain in self.chains:
            chain.truth.clock += seconds

    def mine(self, count: int = 1) -> None:
        """Make blocks everywhere."""
        for _ in range(count):
            for chain in self.chains:
                chain.mine()

    def finalize(self) -> None:
        """Make what is on the chains now final."""
        self.mine(max(chain.depth for chain in self.chains))

    def pass_time(self, seconds: int) -> None:
        self._tick(seconds)
        self.mine()

    async def settle(self, relayer: Relayer, steps: int = 6) -> Progress:
        """Let `relayer` work on a calm world."""
        done = Progress()
        for _ in range(steps):
            self.finalize()
            progress = await relayer.step()
            done.carried += progress.carried
            done.failures += progress.failures
        return done

    def close(self) -> None:
        for store in self.stores:
            store.close()
