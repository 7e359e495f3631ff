"""What a call to contracts knows, what it may do, and how it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Generic, NoReturn, TypeVar

from caimi.contracts.identifiers import Account
from caimi.contracts.state import Overlay, State
from caimi.errors.ledgers import CallRefused

R = TypeVar("R")


class Effect:
    """Something that a call did, told to whoever follows the ledger."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One call: where it writes, when it happens, and who makes it.

    `height` counts up with the ledger's blocks. `time` is in seconds, by a clock that all who carry
    the call out agree on, and that never runs backwards. `effects` grows; `locks` names what must
    not be entered again. What a call costs is linear in what it is given, whose size is for the
    ledger to bound.
    """

    state: State
    height: int
    time: int
    caller: Account
    effects: list[Effect] = field(default_factory=list)
    locks: set[str] = field(default_factory=set)

    def emit(self, effect: Effect) -> None:
        """Tell what was done."""
        self.effects.append(effect)

    def by(self, caller: Account) -> Execution:
        """Give the same call as one contract makes it to another."""
        return replace(self, caller=caller)

    @contextmanager
    def frame(self) -> Iterator[Execution]:
        """Give a call of which nothing remains when the block is left by an exception."""
        overlay = Overlay(self.state)
        inner = replace(self, state=overlay, effects=[])
        yield inner
        overlay.commit()
        self.effects.extend(inner.effects)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Refuse to enter `name` while in it (``ReentrancyGuardReentrantCall``)."""
        require(name not in self.locks, "ReentrancyGuardReentrantCall")
        self.locks.add(name)
        try:
            yield
        finally:
            self.locks.remove(name)


@dataclass(frozen=True, slots=True)
class Executed(Generic[R]):
    """What a call gave and did."""

    result: R
    effects: tuple[Effect, ...]


def execute(call: Execution, act: Callable[[Execution], R]) -> Executed[R]:
    """Carry a call out whole: when it is refused, or fails, nothing of it remains.

    Raises:
        CallRefused: the rules do not allow it.
    """
    with call.frame() as inner:
        result = act(inner)
    return Executed(result, tuple(inner.effects))


def refuse(reason: str, **arguments: object) -> NoReturn:
    """Refuse a call; raises `CallRefused`."""
    raise CallRefused(reason, arguments)


def require(condition: bool, reason: str, **arguments: object) -> None:
    """Refuse a call unless `condition` holds; raises `CallRefused`."""
    if not condition:
        refuse(reason, **arguments)
