"""C code of one graph: emx-onnx-cgen's operators, our memory plan, our kernels, our checks.

The generator (emx-onnx-cgen) makes a C function of every operator, and would call them one after
another with a buffer each. Here its wrapper is replaced: buffers share an arena, stored weights are
fetched when they are used, hot operators are calls of our kernels, outputs' NaNs are made canonical
and indices are checked. It is a subclass of the generator's emitter, whose version is pinned.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from typing import Any

from emx_onnx_cgen.codegen.c_emitter import (
    CEmitter,
    ConstTensor,
    LoweredModel,
    NodeInfo,
    TempBuffer,
)
from emx_onnx_cgen.compiler import Compiler, CompilerOptions
from emx_onnx_cgen.errors import CompilerError
from emx_onnx_cgen.ir.op_base import OpBase
from emx_onnx_cgen.ir.ops import IdentityOp, ReshapeOp
from jinja2 import Template
from onnx import ModelProto, NodeProto
from shared.scalar_types import ScalarType

from caimi.errors.inference import ModelNotRunnable
from caimi.inference.wasm.compiling.arena import ALIGNMENT, Arena, Lifetime, plan_arena
from caimi.inference.wasm.compiling.explained import explained
from caimi.inference.wasm.compiling.index_checks import index_checks
from caimi.inference.wasm.compiling.kernel_calls import GraphTensors, kernel_calls
from caimi.inference.wasm.compiling.operator_calls import operator_call
from caimi.inference.wasm.compiling.operators.lowering import is_generated_wrong, repair_lowering
from caimi.inference.wasm.compiling.range_checks import range_checks
from caimi.inference.wasm.compiling.shape_checks import GraphNode, shape_checks
from caimi.inference.wasm.compiling.templates import LateTemplates, Templates
from caimi.inference.wasm.fuel.kernels import kernel_work
from caimi.inference.wasm.fuel.operators import operator_work
from caimi.inference.wasm.fuel.work import Work

Shape = tuple[int, ...]
_SHIFT = re.compile(r"= (\S+) (<<|>>) (\S+);")
_MEAN = re.compile(
    r"if \(weight_sum == .*?else \{\s*(\S+ = loss_sum / weight_sum;)\s*\}", re.DOTALL
)
"""Of a loss: a mean over nothing, of which the generator makes zero and the standard no number."""
_CANONICAL = {ScalarType.F32: "f32", ScalarType.F64: "f64", ScalarType.F16: "f16"}


@dataclass(frozen=True)
class Emitted:
    """C code, and what the module's metadata says: weights in the order of their first use."""

    code: str
    weights: tuple[str, ...]
    arena_bytes: int
    outputs: tuple[tuple[Shape, str], ...]
    works: tuple[Work, ...]


@dataclass(frozen=True)
class _Step:
    """One statement of a run: what it reads, what it writes, which weights it fetches."""

    text: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    work: Work


def emit(
    model: ModelProto,
    weights: Collection[str],
    *,
    float64_sums: bool = False,
    int8: Collection[str] = (),
    names: Mapping[str, str] | None = None,
) -> Emitted:
    """Give the C code of a graph whose last inputs, `weights` and `int8`, are stored weights.

    `names` gives the names of tensors in the original by those in `model`, for errors.

    Raises:
        ModelNotRunnable: an operator or a type that the generator does not support; with its name.
    """
    options = CompilerOptions(
        model_name="caimi_model",
        large_weight_threshold=0,
        fp32_accumulation_strategy="fp64" if float64_sums else "simple",
    )
    repair_lowering()
    compiler = Compiler(options)
    emitter = _Emitter(frozenset(weights), frozenset(int8), options)
    emitter.nodes = {node.name: node for node in model.graph.node}
    compiler._emitter = emitter
    try:
        code = compiler.compile(model)
    except (CompilerError, NotImplementedError) as error:
        raise ModelNotRunnable(explained(str(error), names or {})) from error
    return Emitted(code, emitter.fetched, emitter.arena_bytes, emitter.results, emitter.works)


class _Emitter(CEmitter):  # type: ignore[misc]
    """Writes the generator's code with our `caimi_infer` in place of its wrapper."""

    def __init__(
        self, weights: frozenset[str], int8: frozenset[str], options: CompilerOptions
    ) -> None:
        super().__init__(
            None,
            large_weight_threshold=0,
            fp32_accumulation_strategy=options.fp32_accumulation_strategy,
        )
        self.weights = weights
        self.int8 = int8
        self.fetched: tuple[str, ...] = ()
        self.arena_bytes = 0
        self.results: tuple[tuple[Shape, str], ...] = ()
        self.nodes: Mapping[str, NodeProto] = {}
        self.works: tuple[Work, ...] = ()

    @staticmethod
    def _emit_header_comment(header: object) -> str:
        return '#include "caimi_module.h"'

    @staticmethod
    def _emit_constant_comment(constant: ConstTensor, index: int) -> str:
        return ""

    def emit_model(self, model: LoweredModel, **options: Any) -> str:  # noqa: ANN401 - as given
        # Comments of operators list their attributes, which may end the comment.
        plain = [NodeInfo(info.op_type, info.name, (), (), {}) for info in model.node_infos]
        return str(super().emit_model(replace(model, node_infos=tuple(plain)), **options))

    def _emit_operator_functions(self, model: LoweredModel, ops: list[OpBase]) -> Any:  # noqa: ANN401
        for place, op in enumerate(ops):
            if any(size < 0 for name in op.output_names for size in self.ctx_shape(name)):
                kind = model.node_infos[place].op_type
                raise ModelNotRunnable(f"{kind}: its output's size depends on the input's data.")
        return super()._emit_operator_functions(model, ops)

    def _op_outputs(self, op: OpBase) -> tuple[tuple[str, Shape, ScalarType], ...]:
        # For some operators the generator forgets those beyond the first.
        told = tuple(op.c_op_outputs(self))
        missing = [name for name in op.output_names if name not in {name for name, _, _ in told}]
        return (*told, *((name, self.ctx_shape(name), self.ctx_dtype(name)) for name in missing))

    def with_node_comment(self, model: LoweredModel, index: int, rendered: str) -> str:
        if model.node_infos[index].op_type == "BitShift":
            rendered = _SHIFT.sub(r"= CAIMI_SHIFT(\1, \2, \3);", rendered)
        rendered = _MEAN.sub(r"\1", rendered)
        return str(super().with_node_comment(model, index, rendered))

    def _load_templates(self, emit_testbench: bool) -> Mapping[str, Template]:
        environment: Any = self._env
        self._env: Any = LateTemplates()
        try:
            names = super()._load_templates(emit_testbench)
        finally:
            self._env = environment
        return Templates(names, environment)

    def _emit_model_wrapper(
        self,
        model: LoweredModel,
        resolved_ops: list[OpBase],
        temp_buffers: tuple[TempBuffer, ...],
        *,
        dim_order: Sequence[str],
        input_dim_names: Mapping[int, Any],
        output_dim_names: Mapping[int, Any],
    ) -> str:
        if dim_order or any(temp.is_sequence for temp in temp_buffers):
            raise ModelNotRunnable("A size that only a run shows, or a sequence of tensors.")
        if any(model.input_optional_names) or any(model.output_optional_names):
            raise ModelNotRunnable("An optional input or output.")
        return _Wrapper(self, model, resolved_ops, temp_buffers).text()


class _Wrapper:
    """The function that runs all operators, and what surrounds it."""

    def __init__(
        self,
        emitter: _Emitter,
        model: LoweredModel,
        ops: list[OpBase],
        temps: tuple[TempBuffer, ...],
    ) -> None:
        weights = emitter.weights | emitter.int8
        self._emitter, self._model, self._ops = emitter, model, ops
        places = zip(model.input_names, model.input_shapes, model.input_dtypes, strict=True)
        inputs = [entry for entry in places if entry[0] not in weights]
        stored = zip(model.input_names, model.input_shapes, model.input_dtypes, strict=True)
        self._stored = {
            name: (shape, ScalarType.I8 if name in emitter.int8 else kind)
            for name, shape, kind in stored
            if name in weights
        }
        outputs = zip(model.output_names, model.output_shapes, model.output_dtypes, strict=True)
        self._outputs = list(outputs)
        self._buffers: dict[str, tuple[Shape, ScalarType]] = {
            name: (shape, kind)
            for name, shape, kind in (
                *inputs,
                *((temp.name, temp.shape, temp.dtype) for temp in temps),
                *self._outputs,
            )
        }
        self._inputs = [name for name, _, _ in inputs]
        self._constants = {constant.name: constant for constant in model.constants}
        # The generator puts a number before the graph's names, which have no such line themselves.
        renamed = (*(temp.name for temp in temps), *self._constants)
        self._c_names = {name.split("_", 1)[-1]: name for name in renamed}
        self._alias: dict[str, str] = {}
        emitter.results = tuple((shape, kind.np_dtype.name) for _, shape, kind in self._outputs)

    def text(self) -> str:
        steps = self._steps()
        used = dict.fromkeys(name for step in steps for name in step.reads if name in self._stored)
        weights = list(used)
        arena = self._plan(steps)
        self._emitter.fetched = tuple(weights)
        self._emitter.arena_bytes = arena.size
        self._emitter.works = tuple(self._work(step) for step in steps)
        sizes = [self._size(*self._stored[name]) for name in weights]
        counts = (
            arena.size,
            len(weights),
            sum(map(_padded, sizes)),
            self._most_streamed(steps),
            max(len(self._inputs), 1),
            max(len(self._outputs), 1),
        )
        lines = [
            _table("caimi_weight_bytes", sizes),
            _table("caimi_weight_offsets", list(accumulate([0, *map(_padded, sizes)]))),
            _table("caimi_input_offsets", [self._offset(arena, name) for name in self._inputs]),
            _table(
                "caimi_output_offsets",
                [self._offset(arena, name) for name, _, _ in self._outputs],
            ),
            f"CAIMI_MODULE({', '.join(map(str, counts))})",
            "static int32_t caimi_infer(void) {",
            *(
                f"    {self._pointer(name, *self._buffers[name])} = "
                f"(void *)(caimi_arena + {self._offset(arena, name)});"
                for name in self._buffers
            ),
        ]
        for step in steps:
            fetched = [name for name in step.reads if name in self._stored]
            lines.append("    {")
            if fetched:
                lines.append("caimi_release_weights();")
            for name in fetched:
                pointer = self._pointer(name, *self._stored[name])
                lines.append(f"const {pointer} = caimi_weight({weights.index(name)});")
                lines.append(f"if (!{name}) return CAIMI_OUT_OF_MEMORY;")
            lines.append(step.text)
            lines.append("    }")
        lines += ["    return 0;", "}"]
        return "\n".join(lines)

    def _steps(self) -> list[_Step]:
        calls = {call.place: call for call in kernel_calls(self._ops, self._tensors())}
        covered = {place for call in calls.values() for place in call.covers}
        steps = []
        for place, op in enumerate(self._ops):
            steps += self._checks(place)
            if place in calls:
                call = calls[place]
                steps.append(_Step(call.text, call.reads, (call.output,), call.work))
            elif place not in covered and not self._is_alias(op):
                steps.append(self._generated(place, op))
        return steps

    def _checks(self, place: int) -> list[_Step]:
        """Compare what a run has computed of sizes and indices, before an operator uses it."""
        proto = self._emitter.nodes.get(self._model.node_infos[place].name or "")
        if proto is None:  # a copy that the generator adds
            return []
        names = [self._c_names.get(name, name) for name in proto.input]
        results = [self._c_names.get(name, name) for name in proto.output]
        known = {
            at: f"((const {self._emitter.ctx_dtype(name).c_type} *){name})"
            for at, name in enumerate(names)
            if name in self._buffers or name in self._constants
        }
        computed = {at: text for at, text in known.items() if names[at] in self._buffers}
        node = GraphNode(proto, self._shapes(names), self._shapes(results), computed, known)
        lines = [*shape_checks(node), *range_checks(node)]
        checked = sum(prod(self._buffers[names[at]][0]) for at in computed)
        work = Work.of("check", call=len(lines), element=checked)
        reads = tuple(names[at] for at in known)
        return [_Step("\n".join(lines), reads, (), work)] if lines else []

    def _shapes(self, names: Sequence[str]) -> tuple[Shape | None, ...]:
        places = {**self._stored, **self._buffers}
        constants = {name: constant.shape for name, constant in self._constants.items()}
        return tuple(places[name][0] if name in places else constants.get(name) for name in names)

    def _generated(self, place: int, op: OpBase) -> _Step:
        reads = tuple(dict.fromkeys(name for name in op.input_names if name))
        writes = tuple(name for name in op.output_names if name)
        if not self._emitter.int8.isdisjoint(reads):
            raise ModelNotRunnable(f"{op.kind} has int8 weights, which no kernel of ours takes.")
        checks = index_checks(op, self._emitter.ctx_shape, self._emitter.ctx_dtype)
        kernel = operator_call(op, self._emitter.ctx_shape, self._emitter.ctx_dtype)
        if kernel is not None:
            return _Step("\n".join([*checks, kernel]), reads, writes, kernel_work(kernel))
        if is_generated_wrong(op):
            raise ModelNotRunnable(f"{op.kind}: unusual options that the generator gets wrong.")
        call = f"{self._emitter.op_function_name(self._model, place)}({', '.join(op.call_args())});"
        lines = [*checks, call]
        for name in writes:
            kind = self._emitter.ctx_dtype(name)
            count = prod(self._emitter.ctx_shape(name))
            if kind in _CANONICAL and count:
                lines.append(f"caimi_canonicalise_{_CANONICAL[kind]}((void *){name}, {count});")
        work = operator_work(op, self._emitter.ctx_shape, self._emitter.ctx_dtype, self._constants)
        return _Step("\n".join(lines), reads, writes, work)

    def _work(self, step: _Step) -> Work:
        fetched = sum(name in self._stored for name in step.reads)
        return step.work.with_counts({"weight.fetch": fetched} if fetched else {})

    def _tensors(self) -> GraphTensors:
        readers: dict[str, list[int]] = {}
        for place, op in enumerate(self._ops):
            for name in op.input_names:
                if name:
                    readers.setdefault(name, []).append(place)
        scalars = {
            name: float(constant.data[0])
            for name, constant in self._constants.items()
            if len(constant.data) == 1 and constant.dtype.is_float
        }
        return GraphTensors(
            self._emitter.ctx_shape,
            self._emitter.ctx_dtype,
            readers,
            frozenset(name for name, _, _ in self._outputs),
            scalars,
            frozenset((*self._constants, *self._stored)),
            self._emitter.int8,
        )

    def _is_alias(self, op: OpBase) -> bool:
        """Whether an operator's output is its input under another shape: then it is not run."""
        if not isinstance(op, ReshapeOp | IdentityOp):
            return False
        source, target = op.input0, op.output
        outputs = {name for name, _, _ in self._outputs}
        if source not in self._buffers or source in self._inputs or target in outputs:
            return False
        if self._buffers[source][1] == ScalarType.STRING:
            return False
        self._alias[target] = self._alias.get(source, source)
        return True

    def _plan(self, steps: Sequence[_Step]) -> Arena:
        first: dict[str, int] = dict.fromkeys(self._inputs, -1)
        last: dict[str, int] = {}
        for place, step in enumerate(steps):
            for name in (*step.reads, *step.writes):
                root = self._alias.get(name, name)
                if root in self._buffers:
                    first.setdefault(root, place)
                    last[root] = place
        for name, _, _ in self._outputs:
            first.setdefault(name, -1)
            last[self._alias.get(name, name)] = len(steps)
        return plan_arena(
            Lifetime(name, self._size(*self._buffers[name]), place, last.get(name, place))
            for name, place in first.items()
        )

    def _offset(self, arena: Arena, name: str) -> int:
        return arena.offsets.get(self._alias.get(name, name), 0)

    def _most_streamed(self, steps: Sequence[_Step]) -> int:
        """Give the most bytes of weights that one step uses, each rounded up to 64."""
        return max(
            (
                sum(
                    _padded(self._size(*self._stored[name]))
                    for name in step.reads
                    if name in self._stored
                )
                for step in steps
            ),
            default=0,
        )

    def _size(self, shape: Shape, kind: ScalarType) -> int:
        item = 256 if kind == ScalarType.STRING else kind.np_dtype.itemsize
        return prod(shape) * int(item)

    def _pointer(self, name: str, shape: Shape, kind: ScalarType) -> str:
        sizes = "".join(f"[{max(1, size)}]" for size in shape[1:])
        if kind == ScalarType.STRING:
            sizes += "[EMX_STRING_MAX_LEN]"
        return f"{kind.c_type} (*{name}){sizes}" if sizes else f"{kind.c_type} *{name}"


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _table(name: str, values: Sequence[int]) -> str:
    listed = ", ".join(f"{value}u" for value in values) or "0"
    return f"static const uint32_t {name}[] = {{{listed}}};"
