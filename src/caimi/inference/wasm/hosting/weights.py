"""Where the weights of a module come from: the port, and the plain files of a package."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from caimi.errors.inference import WeightsUnavailable
from caimi.inference.wasm.hosting.protocol import MAX_FILES, Place
from caimi.inference.wasm.metadata import Weight

_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_DIRECTORY: Final = _READ | os.O_DIRECTORY


class WeightReader(Protocol):
    """Serves one process. `places` are for the child: what lies in `descriptors` it reads itself.

    `window` is shared memory in which all other weights come, or None.
    """

    places: Sequence[Place]
    descriptors: Sequence[int]
    window: int | None

    def pieces(
        self, weight: int, first: int, size: int, deadline: float
    ) -> Iterator[list[tuple[int, int]]]:
        """Give where in the window, and how long, the pieces of a range of a weight are, in turn.

        Those given at once stay there until the next are asked for. `deadline` is on the monotonic
        clock.

        Raises:
            CaimiError: it cannot be had, or is not what it must be.
        """

    def close(self) -> None:
        """End: the process is gone, or has all that it reads. Again is no error."""


class WeightSource(Protocol):
    """The files of one package, plain or sealed."""

    def open(self, weights: Sequence[Weight]) -> WeightReader:
        """Prepare to serve one process.

        Raises:
            WeightsUnavailable: a file is missing, or too short for what is to be read of it.
        """


class FileWeights:
    """Weights in plain files below a directory; the child reads them without the host's help."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, weights: Sequence[Weight]) -> WeightReader:
        """Open each file once; see `WeightSource.open`."""
        names = sorted({weight.file for weight in weights})
        if len(names) > MAX_FILES:
            raise WeightsUnavailable(f"The weights are in {len(names)} files, over {MAX_FILES}.")
        with contextlib.ExitStack() as opened:
            descriptors = []
            for name in names:
                descriptors.append(open_below(self._root, name))
                opened.callback(os.close, descriptors[-1])
            sizes = [os.fstat(descriptor).st_size for descriptor in descriptors]
            for weight in weights:
                if weight.offset + weight.size > sizes[names.index(weight.file)]:
                    raise WeightsUnavailable(f"{weight.file!r} is shorter than its weights.")
            places = [
                Place(names.index(weight.file), weight.offset, weight.size) for weight in weights
            ]
            return _FileReader(places, descriptors, opened.pop_all())


class _FileReader:
    window: int | None = None

    def __init__(
        self, places: Sequence[Place], descriptors: Sequence[int], opened: contextlib.ExitStack
    ) -> None:
        self.places = places
        self.descriptors = descriptors
        self.close = opened.close

    def pieces(
        self, weight: int, first: int, size: int, deadline: float
    ) -> Iterator[list[tuple[int, int]]]:
        raise WeightsUnavailable(f"Weight {weight} is in a file that the process has.")


def open_below(root: Path, name: str) -> int:
    """Open a plain file below a directory, through no symbolic link."""
    *parents, last = name.split("/")
    try:
        directory = os.open(root, _DIRECTORY & ~os.O_NOFOLLOW)
        try:
            for part in parents:
                below = os.open(part, _DIRECTORY, dir_fd=directory)
                os.close(directory)
                directory = below
            descriptor = os.open(last, _READ, dir_fd=directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise WeightsUnavailable(f"{name!r} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise WeightsUnavailable(f"{name!r} is no plain file.")
    return descriptor
