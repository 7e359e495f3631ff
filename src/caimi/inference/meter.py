"""What requests of a served model use, told by a process apart and kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path
from typing import Final

from caimi.errors.inference import ModelEndsItsProcess, ModelNotRunnable, WorkerBusy, WrongInput
from caimi.inference.metering import Told
from caimi.inference.prices import Shapes, Usage
from caimi.inference.wasm.compiling.apart import ask_apart
from caimi.models.tensor import Tensor

MAX_SHAPES: Final = 64
"""Of how many shapes of one model the usage is kept."""
PATIENCE_SECONDS: Final = 10.0
"""How long a request waits while those of other shapes are looked at."""

_Key = tuple[tuple[str, tuple[int, ...]], ...]
_Refusal = WrongInput | ModelNotRunnable


class Meter:
    """Tells usage for one model. Construction does not read.

    A process looks at one shape at a time, and whoever asks for a shape that is known waits for
    none: who always asks for new shapes delays others that do, and nobody else. Shapes that do not
    fit are remembered like those that do.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._looking = asyncio.Lock()
        self._begun = False
        self._by_row: Told | None = None
        self._known: OrderedDict[_Key, Usage | _Refusal] = OrderedDict()

    async def usage(self, shapes: Shapes) -> Usage:
        """Tell what a request with inputs of these shapes uses.

        Raises:
            WrongInput: the shapes do not fit the model.
            ModelNotRunnable: the model cannot be compiled, so there is no telling.
            ModelEndsItsProcess: reading it ended the process, or took too long.
            WorkerBusy: other shapes are being looked at.
        """
        known = self._recall(shapes) or await self._look_for(shapes)
        if isinstance(known, Usage):
            return known
        raise type(known)(known.what, why=known.why, next_step=known.next_step)

    def _recall(self, shapes: Shapes) -> Usage | _Refusal | None:
        if self._by_row is not None:
            return _of_rows(self._by_row, shapes)
        known = self._known.get(key := _key(shapes))
        if known is not None:
            self._known.move_to_end(key)
        return known

    async def _look_for(self, shapes: Shapes) -> Usage | _Refusal:
        """Have a process look, unless another request has had it done meanwhile."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._looking.acquire()
        except TimeoutError as error:
            raise WorkerBusy(
                "The worker is still pricing requests of other shapes.",
                why="One shape of a model is looked at at a time.",
            ) from error
        try:
            known = self._recall(shapes)
        except BaseException:
            self._looking.release()
            raise
        if known is not None:
            self._looking.release()
            return known
        looking = asyncio.ensure_future(asyncio.to_thread(self._look, shapes))
        looking.add_done_callback(self._looked)
        # The process goes on when whoever asked has gone: until it ends there is no other.
        return await asyncio.shield(looking)

    def _looked(self, looking: asyncio.Future[Usage | _Refusal]) -> None:
        self._looking.release()
        if not looking.cancelled():
            looking.exception()  # it is whoever asks that is told, who may have gone

    def _look(self, shapes: Shapes) -> Usage | _Refusal:
        if not self._begun:  # one preparation serves all requests of what is taken row by row
            self._begun = True  # whatever comes of it: a look that fails is not made again
            self._by_row = _told(self._file)
        if self._by_row is not None:
            return _of_rows(self._by_row, shapes)
        found: Usage | _Refusal
        try:
            told = _told(self._file, shapes)
            assert told is not None
            found = told.usage
        except ModelEndsItsProcess:  # a busy machine, perhaps
            raise
        except (WrongInput, ModelNotRunnable) as error:
            found = error
        self._known[_key(shapes)] = found
        while len(self._known) > MAX_SHAPES:
            self._known.popitem(last=False)
        return found


def _key(shapes: Shapes) -> _Key:
    return tuple(sorted(shapes.items()))


def _told(file: Path, shapes: Shapes | None = None) -> Told | None:
    job = {"file": str(file.absolute()), "shapes": shapes and dict(shapes)}
    said = ask_apart("usage", job, file.name)
    if said["usage"] is None:
        return None
    inputs = said["inputs"]
    return Told(
        Usage(*said["usage"]),
        None if inputs is None else tuple(Tensor(n, t, tuple(s)) for n, t, s in inputs),
    )


def _of_rows(told: Told, shapes: Shapes) -> Usage:
    _check(shapes, told.inputs or ())
    return _rows(told.usage, shapes)


def _check(shapes: Shapes, inputs: tuple[Tensor, ...]) -> None:
    """Refuse shapes that the model does not take: they must not be priced as if it did."""
    if set(shapes) != {tensor.name for tensor in inputs}:
        raise WrongInput(f"The model takes {', '.join(map(str, inputs))}.")
    rows = {shape[:1] for shape in shapes.values()}
    for tensor in inputs:
        if shapes[tensor.name][1:] != (tensor.shape or ())[1:] or len(rows) != 1:
            raise WrongInput(f"{tensor.name!r} is not of shape {list(shapes[tensor.name])}.")


def _rows(each: Usage, shapes: Shapes) -> Usage:
    rows = next((shape[0] for shape in shapes.values() if shape), 1)
    return Usage(each.fuel * rows, each.bytes_in * rows, each.bytes_out * rows)
