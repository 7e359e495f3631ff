"""Calls of the recurrent kernels: one for each direction."""

from __future__ import annotations

from dataclasses import dataclass

from emx_onnx_cgen.ir.ops import GruOp, LstmOp, RnnOp

from caimi.inference.wasm.compiling.operators.c_text import (
    call,
    floats_from,
    floats_to,
    lines,
    struct_text,
)
from caimi.inference.wasm.compiling.operators.tensor_types import TensorTypes

MAX_HIDDEN = 4096
"""CAIMI_MAX_HIDDEN of the kernels."""

RELU, TANH, SIGMOID = 0, 1, 2
"""The generator's numbers of activations."""


@dataclass(frozen=True)
class Direction:
    """Where one direction's weights, states and outputs lie in the tensors."""

    op: GruOp | LstmOp | RnnOp
    number: int
    gates: int

    def structure(self, relu: bool) -> str:
        """The kernels' structure."""
        op = self.op
        steps, batch, hidden = op.seq_length, op.batch_size, op.hidden_size
        row = op.num_directions * hidden
        if op.layout == 0:
            x_strides, y_strides = (batch * op.input_size, op.input_size), (batch * row, hidden)
        else:
            x_strides, y_strides = (op.input_size, steps * op.input_size), (row, steps * row)
        state = hidden if op.layout == 0 else row
        reverse = op.direction == "reverse" or self.number == 1
        before = getattr(op, "linear_before_reset", 0)
        return struct_text(
            "caimi_recurrent", steps, batch, op.input_size, hidden, *x_strides, *y_strides, state,
            int(reverse), int(before), int(relu),
        )  # fmt: skip

    def weights(self) -> tuple[str, str, str]:
        """Pointers to w, r and b."""
        op, gates = self.op, self.gates * self.op.hidden_size
        return (
            floats_from(op.input_w, self.number * gates * op.input_size),
            floats_from(op.input_r, self.number * gates * op.hidden_size),
            floats_from(op.input_b, self.number * gates * 2),
        )

    def states(self) -> int:
        """Offset of this direction in states and outputs."""
        rows = self.op.batch_size if self.op.layout == 0 else 1
        return self.number * rows * int(self.op.hidden_size)


def _covered(
    op: GruOp | LstmOp | RnnOp, tensors: TensorTypes, activations: tuple[int, ...]
) -> bool:
    if op.input_sequence_lens is not None or op.clip is not None or op.hidden_size > MAX_HIDDEN:
        return False
    if op.activation_kinds != activations * op.num_directions:
        return False
    return tensors.floats(*op.input_names, *op.output_names)


def gru_call(op: GruOp, tensors: TensorTypes) -> str | None:
    """GRU with Sigmoid and Tanh."""
    if not _covered(op, tensors, (SIGMOID, TANH)):
        return None
    return lines(_plain("caimi_gru_f32", op, 3, relu=False))


def rnn_call(op: RnnOp, tensors: TensorTypes) -> str | None:
    """RNN with Tanh or Relu."""
    relu = _covered(op, tensors, (RELU,))
    if not relu and not _covered(op, tensors, (TANH,)):
        return None
    return lines(_plain("caimi_rnn_f32", op, 1, relu=relu))


def _plain(kernel: str, op: GruOp | RnnOp, gates: int, *, relu: bool) -> list[str]:
    calls: list[str] = []
    for number in range(op.num_directions):
        direction = Direction(op, number, gates)
        at = direction.states()
        calls.append(
            call(
                kernel,
                direction.structure(relu),
                floats_from(op.input_x),
                *direction.weights(),
                floats_from(op.input_initial_h, at),
                floats_to(op.output_y, at),
                floats_to(op.output_y_h, at),
            )
        )
    return calls


def lstm_call(op: LstmOp, tensors: TensorTypes) -> str | None:
    """LSTM with Sigmoid, Tanh and Tanh, without peepholes or coupled gates."""
    if op.input_p is not None or op.input_forget:
        return None
    if not _covered(op, tensors, (SIGMOID, TANH, TANH)):
        return None
    calls: list[str] = []
    for number in range(op.num_directions):
        direction = Direction(op, number, 4)
        at = direction.states()
        calls.append(
            call(
                "caimi_lstm_f32",
                direction.structure(relu=False),
                floats_from(op.input_x),
                *direction.weights(),
                floats_from(op.input_initial_h, at),
                floats_from(op.input_initial_c, at),
                floats_to(op.output_y, at),
                floats_to(op.output_y_h, at),
                floats_to(op.output_y_c, at),
            )
        )
    return lines(calls)
