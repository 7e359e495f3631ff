"""What the protocol's messages say, however they travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from caimi.errors.inference import UnreadableTensors, WrongInput
from caimi.inference.oip.datatypes import datatype_of, sizes_of
from caimi.inference.tensors import Array
from caimi.models.tensor import Tensor

Parameter = bool | int | float | str
Parameters = Mapping[str, Parameter]

MAX_PARAMETERS: Final = 64
MAX_PARAMETER: Final = 1 << 16
MAX_ID: Final = 256
NONCE: Final = "caimi_nonce"
"""The request's parameter with the requester's nonce: 0x and 64 hex digits."""
WANTED: Final = "caimi_receipt"
"""The request's parameter (true) that asks for a receipt, and the answer's that has it."""
_CHANGES_THE_ANSWER: Final = (
    "sequence_id",
    "sequence_start",
    "sequence_end",
    "classification",
    "shared_memory_region",
    "shared_memory_offset",
    "shared_memory_byte_size",
)


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request; `outputs` are those asked for (all when there are none), each binary or not."""

    model: str
    version: str
    inputs: Mapping[str, Array]
    id: str = ""
    parameters: Parameters = field(default_factory=dict)
    outputs: Mapping[str, bool | None] = field(default_factory=dict)
    binary: bool = False

    def wants_binary(self, output: str) -> bool:
        """Whether an output goes as bytes rather than as JSON."""
        asked = self.outputs.get(output)
        return self.binary if asked is None else asked


@dataclass(frozen=True, slots=True)
class InferAnswer:
    """An answer; `version` is the one that ran."""

    model: str
    version: str
    outputs: Mapping[str, Array]
    id: str = ""
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as metadata has it: -1 stands for a size that the model leaves open."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a server says of a model."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]


def checked_parameters(parameters: Mapping[str, object], what: str) -> dict[str, Parameter]:
    """Check parameters: of bounded number and size, and none that would need another server.

    Parameters that only hint, such as a priority, are taken and have no effect.

    Raises:
        UnreadableTensors: they are not of the protocol's form.
        WrongInput: one asks for what is not served, such as sequences or shared memory.
    """
    if len(parameters) > MAX_PARAMETERS:
        raise UnreadableTensors(f"{what} has more than {MAX_PARAMETERS} parameters.")
    checked: dict[str, Parameter] = {}
    for name, value in parameters.items():
        if not isinstance(value, bool | int | float | str) or (
            isinstance(value, str) and len(value) > MAX_PARAMETER
        ):
            raise UnreadableTensors(f"{what}'s parameter {name[:80]!r} is no plain value.")
        if name in _CHANGES_THE_ANSWER and value:
            raise WrongInput(
                f"{what} has the parameter {name!r}, which is not served.",
                why="Models here keep no state between requests, and share no memory with clients.",
                next_step="Send the request without it.",
            )
        checked[name] = value
    return checked


def signature_info(specs: tuple[Tensor, ...]) -> tuple[TensorInfo, ...]:
    """Give a signature as metadata has it.

    Raises:
        UnreadableTensors: an element type that the protocol does not have.
    """
    return tuple(
        TensorInfo(spec.name, datatype_of(spec.dtype), tuple(sizes_of(spec))) for spec in specs
    )
