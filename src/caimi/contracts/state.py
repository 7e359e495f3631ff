"""Where contracts keep what they know: bytes by key, in frames that can be undone."""

from __future__ import annotations

from typing import Protocol


class State(Protocol):
    """A key-value store. What is written is seen by whoever reads next."""

    def get(self, key: bytes) -> bytes | None:
        """Give the value at `key`, or None."""

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value."""

    def delete(self, key: bytes) -> None:
        """Forget the value at `key`, if there is one."""


class MemoryState:
    """A state in memory."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self._values[key] = value

    def delete(self, key: bytes) -> None:
        self._values.pop(key, None)

    def items(self) -> dict[bytes, bytes]:
        """Give a copy of all there is."""
        return dict(self._values)


class Overlay:
    """A frame over another state: nothing is written there until `commit`.

    To discard a frame, drop it. Frames lie on frames as deep as one likes.
    """

    def __init__(self, below: State) -> None:
        self._below = below
        self._changes: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        return self._changes[key] if key in self._changes else self._below.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self._changes[key] = value

    def delete(self, key: bytes) -> None:
        self._changes[key] = None

    def commit(self) -> None:
        """Write all changes to the state below, in the order of their keys."""
        for key, value in sorted(self._changes.items()):
            if value is None:
                self._below.delete(key)
            else:
                self._below.put(key, value)
        self._changes.clear()
