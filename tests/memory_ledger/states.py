"""The states after the newest blocks, or after all of them."""

from __future__ import annotations

from caimi.contracts.state import MemoryState


class States:
    """A ledger's states by height, of which the highest is the one that calls change."""

    def __init__(self) -> None:
        self._top = 0
        self._at = {0: MemoryState()}

    @property
    def newest(self) -> MemoryState:
        return self._at[self._top]

    def at(self, height: int) -> MemoryState | None:
        """Give the state after a block; None where it is not kept."""
        return self._at.get(height)

    def grow(self, keep_from: int) -> None:
        """Begin the next block's state with what is there; forget those below `keep_from`."""
        newest = self.newest
        self._top += 1
        if keep_from >= self._top:
            self._at = {self._top: newest}
            return
        following = MemoryState()
        for key, value in newest.items().items():
            following.put(key, value)
        self._at[self._top] = following
        for height in [each for each in self._at if each < keep_from]:
            del self._at[height]

    def undo(self, height: int) -> None:
        """Go back to the state after a block, which is kept."""
        assert height in self._at, f"The state of {height} is gone."
        for above in [each for each in self._at if each > height]:
            del self._at[above]
        self._top = height
