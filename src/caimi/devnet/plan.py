"""What a local network is made of, and where each part listens. It is written down once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, ValidationError

from caimi.config import Section
from caimi.errors.node import PortTaken, ProcessListDamaged
from caimi.errors.operations import UsageError
from caimi.loopback import free_ports, is_free
from caimi.places import write_result

LEDGER_NAMES: Final = "abcdefghijklmnopqrstuvwxyz"
"""Of the ledgers, in order."""
NODES: Final = 5
THRESHOLD: Final = 3
WORKER: Final = "worker"
RELAYER: Final = "relayer"
WATCHER: Final = "watcher"
_LAST_PORT: Final = 65_535
_FIRST_PORT: Final = 1_024
_MAX_BYTES: Final = 1 << 16

Port = Annotated[int, Field(ge=1, le=_LAST_PORT)]
Kind = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class PlannedLedger(Section):
    """A ledger: its `kind` is a name of `caimi.sandboxes`."""

    name: Annotated[str, StringConstraints(pattern="^[a-z]$")]
    kind: Kind
    port: Port


class NetworkPlan(Section):
    """A network. It is `made` once all of it has been ready: from then on it is only started.

    While `moving`, its settings do not follow its ports yet.
    """

    format: Literal[1] = 1
    made: bool = False
    moving: bool = False
    ledgers: Annotated[list[PlannedLedger], Field(min_length=1, max_length=26)]
    nodes: Annotated[list[Port], Field(min_length=NODES, max_length=NODES)]
    worker: Port

    @classmethod
    def of(cls, kinds: Sequence[str], base: int | None = None) -> Self:
        """Plan ledgers of some kinds and ports from `base` upwards, or wherever some are free.

        Raises:
            UsageError: they would be too many ledgers, or no ports.
        """
        if not 1 <= len(kinds) <= len(LEDGER_NAMES):
            raise UsageError(f"A network has 1 to {len(LEDGER_NAMES)} ledgers, not {len(kinds)}.")
        ports = _ports(len(kinds) + NODES + 1, base)
        return cls(
            ledgers=[
                PlannedLedger(name=name, kind=kind, port=port)
                for name, kind, port in zip(LEDGER_NAMES, kinds, ports, strict=False)
            ],
            nodes=list(ports[len(kinds) : -1]),
            worker=ports[-1],
        )

    @classmethod
    def load(cls, file: Path) -> Self | None:
        """Read one; None when there is none.

        Raises:
            ProcessListDamaged: it is not as `save` writes it.
        """
        try:
            with file.open("rb") as handle:
                return cls.model_validate_json(handle.read(_MAX_BYTES))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ProcessListDamaged(f"{file} cannot be read: {error.strerror}.") from error
        except ValidationError as error:
            raise ProcessListDamaged(
                f"{file} is no plan of a network: {error.error_count()} errors.",
                why="The file is damaged, was edited, or is of another version of CAIMI.",
                next_step="Start anew with `caimi devnet up --fresh`.",
            ) from error

    def save(self, file: Path) -> None:
        """Write it down whole."""
        write_result(file, self.model_dump_json(indent=1).encode())

    def moved(self, base: int) -> Self:
        """Give the same network, moving to ports from `base` upwards; raises as `of`."""
        other = type(self).of(self.kinds, base)
        return other.model_copy(update={"made": self.made, "moving": True})

    @property
    def kinds(self) -> list[str]:
        """The kind of each ledger, in order."""
        return [ledger.kind for ledger in self.ledgers]

    @property
    def ports(self) -> dict[str, int]:
        """The port of each process that listens, in the order in which they are started."""
        return dict(self._named_ports())

    @property
    def names(self) -> list[str]:
        """The names of all processes, beside their supervisor."""
        return [*self.ports, RELAYER, WATCHER]

    def _named_ports(self) -> Iterator[tuple[str, int]]:
        yield from ((f"ledger-{ledger.name}", ledger.port) for ledger in self.ledgers)
        yield from ((f"node-{at}", port) for at, port in enumerate(self.nodes, start=1))
        yield WORKER, self.worker


def check_ports(ports: dict[str, int]) -> None:
    """See to it that processes can listen where they are to.

    Raises:
        PortTaken: somebody does already.
    """
    taken = [f"{port} ({name})" for name, port in ports.items() if not is_free(port)]
    if taken:
        raise PortTaken(
            f"Ports on 127.0.0.1 that the network needs are taken: {', '.join(taken)}.",
            next_step=(
                "End who listens there, or choose others: with `caimi devnet up --ports N` they "
                "are N and those after it."
            ),
        )


def _ports(count: int, base: int | None) -> range:
    if base is None:
        return free_ports(count)
    if not _FIRST_PORT <= base <= _LAST_PORT + 1 - count:
        raise UsageError(
            f"{count} ports from {base} on are not all between {_FIRST_PORT} and {_LAST_PORT}.",
            next_step="Choose another --ports.",
        )
    return range(base, base + count)
