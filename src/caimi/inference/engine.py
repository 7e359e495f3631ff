"""What every engine offers: load a model, run it on named tensors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from caimi.inference.tensors import Array, Tensors
    from caimi.models.tensor import Tensor

DEFAULT_ENGINE: Final = "onnx"


class Session(Protocol):
    """A loaded model; `run` may be called from several threads at once."""

    @property
    def inputs(self) -> Sequence[Tensor]:
        """What it takes."""

    @property
    def outputs(self) -> Sequence[Tensor]:
        """What it gives."""

    def run(self, inputs: Tensors) -> dict[str, Array]:
        """Run the model.

        Raises:
            WrongInput: an input does not fit the signature.
            RunFailed: the engine failed.
        """


class Engine(Protocol):
    """A way of running models. `id` names it in receipts: what runs, which version, on what.

    `answer` names the one exact result that every engine of that answer id gives, empty for an
    engine whose bits depend on the machine.
    """

    id: str
    answer: str

    def load(self, model: Path) -> Session:
        """Load an ONNX file; data beside it must be in the same directory.

        Raises:
            ModelNotRunnable: the engine does not take it.
        """
