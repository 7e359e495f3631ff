"""Work of the kernels around products, read from the very calls that a module will make.

The calls have constant sizes in their text, as `operators/c_text.py` writes them. Rows are worked
through in blocks of sixteen, then fours, then what is left: ``row``, ``block``, ``quad``, and
``part`` (rows with something left) or ``single`` (the elements left).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from math import prod
from typing import Final

from caimi.inference.wasm.fuel.work import Work, parts

_CALL: Final = re.compile(
    r"caimi_([a-z0-9_]+?)_(?:f?32)\((?:&\(const (\w+)\)\{([^;]*?)\}, (?:[^,{}]+, )?\(|)(.*)"
)
_NUMBER: Final = re.compile(r"-?\d+")
_LEADING: Final = re.compile(r"(?:\d+, )+")
_LONG_ROW: Final = 256
_LANES: Final = 4
_GATES: Final = {"gru": 3, "lstm": 4, "rnn": 1}
_FUNCTIONS: Final = frozenset(
    {
        *("exp", "log", "erf", "tanh", "sigmoid", "softplus", "sqrt", "pow", "elu", "selu", "celu"),
        *("gelu", "gelu_tanh", "silu", "softmax", "log_softmax"),
    }
)

Counts = Mapping[str, int]


def kernel_work(text: str) -> Work:
    """Give the work of one operator's kernel calls; the kind is the first kernel's name."""
    kinds: list[str] = []
    counts: Counter[str] = Counter()
    multiplies = functions = 0
    for line in text.splitlines():
        found = _CALL.match(line)
        if found is None:
            continue
        name, structure, inner, rest = found.groups()
        leading = _LEADING.match(rest)
        numbers = [int(n) for n in _NUMBER.findall(inner or (leading[0] if leading else ""))]
        kind, more = _counts(name, structure, numbers)
        kinds.append(kind)
        counts.update({f"{kind}.{key}": count for key, count in more.items() if count})
        if name in _GATES:
            multiplies += _GATES[name] * prod(numbers[:2]) * numbers[3] * (numbers[2] + numbers[3])
            functions += _GATES[name] * prod(numbers[:2]) * numbers[3]
        elif structure == "caimi_attention":
            scores = prod((numbers[0], numbers[1], numbers[3], numbers[4]))
            multiplies += scores * (numbers[5] + numbers[6])
            functions += scores
        elif name in _FUNCTIONS:
            functions += _elements(structure, numbers)
    return Work(kinds[-1] if kinds else "kernel", dict(counts), multiplies, functions)


def _elements(structure: str | None, numbers: list[int]) -> int:
    return prod(numbers[1 : 1 + numbers[0]]) if structure == "caimi_broadcast" else prod(numbers)


def _counts(name: str, structure: str | None, numbers: list[int]) -> tuple[str, Counts]:
    if structure is None:
        return name, {"call": 1, **_PLAIN.get(name, _one_row)(numbers or [0])}
    if structure == "caimi_axis":
        outer, size, inner = numbers
        if inner == 1:
            return f"{name}.row", {"call": 1, **rows(outer, size)}
        return f"{name}.columns", {"call": 1, **_columns(outer, size, inner)}
    return name, {"call": 1, **_STRUCTURES[structure](name, numbers)}


def rows(count: int, length: int, prefix: str = "") -> dict[str, int]:
    """Count what `count` rows of `length` elements are worked through in."""
    return {
        f"{prefix}row": count,
        f"{prefix}block": count * (length // 16),
        f"{prefix}quad": count * (length % 16 // _LANES),
        f"{prefix}part": count * int(length % _LANES > 0),
        f"{prefix}single": count * (length % _LANES),
    }


def _one_row(numbers: list[int]) -> Counts:
    return rows(1, numbers[0])


def _norm(numbers: list[int]) -> Counts:
    return rows(numbers[0], numbers[1])


def _batch_norm(numbers: list[int]) -> Counts:
    batch, channels, inner = numbers[:3]
    return rows(batch * channels, inner)


def _group_norm(numbers: list[int]) -> Counts:
    batch, channels, groups, inner = numbers[:4]
    folded = rows(batch * groups, channels // groups * inner, "fold_")
    return {**folded, **rows(batch * channels, inner)}


def _columns(outer: int, size: int, inner: int) -> Counts:
    full, part = outer * (inner // _LANES), outer * int(inner % _LANES > 0)
    return {
        "row": outer,
        "vector": full,
        "term": full * size,
        "part": part,
        "part_term": part * size,
    }


def _broadcast(_: str, numbers: list[int]) -> Counts:
    rank = numbers[0]
    sizes = numbers[1 : 1 + rank]
    return rows(prod(sizes[:-1]), sizes[-1])


def _view(_: str, numbers: list[int]) -> Counts:
    """As `caimi_copy_32` goes: rows, 4 x 4 tiles of a transposition, or single elements.

    A long row is one instruction where there is bulk memory, and takes fuel for every byte.
    """
    rank = numbers[0]
    size, read, written = (numbers[1 + n * rank : 1 + (n + 1) * rank] for n in range(3))
    last = size[-1]
    outer = prod(size[:-1])
    if written[-1] == 1 and read[-1] == 1:
        if last > _LONG_ROW:
            return {"row": outer, "long": outer, "long_word": outer * last}
        return rows(outer, last)
    across = [axis for axis in range(rank - 1) if read[axis] == 1]
    if written[-1] != 1 or not across:
        return {"row": outer, "step": outer * last}
    wide = size[across[-1]]
    planes = outer // wide
    strips = planes * parts(wide, 16)
    return {
        "row": planes,
        "strip": strips,
        "band": strips * (last // _LANES + last % _LANES),
        "tile": planes * (wide // _LANES) * (last // _LANES),
        "step": planes * (wide % _LANES * (last // _LANES) * _LANES + last % _LANES * wide),
    }


def _pool(name: str, numbers: list[int]) -> Counts:
    """As `kernels/pooling.c` goes: a line over the windows' rows, then windows along it."""
    planes, _, width, out_rows, out, high, wide = numbers[:7]
    stride, dilation, pad = numbers[8], numbers[10], numbers[12]
    lines = planes * out_rows
    span = (out - 1) * stride + (wide - 1) * dilation + 1
    quads = max(min(span - pad, width) // _LANES, 0)
    rest = max(span - pad - quads * _LANES, 0)
    full, left = lines * (out // _LANES), lines * (out % _LANES)
    window = {1: "window_term", 2: "window_pair_term"}.get(stride, "window_loose_term")
    return {
        "row": lines,
        "blank": lines * pad,
        "line": lines * quads,
        "line_term": lines * quads * high,
        "column": lines * rest,
        "column_term": lines * rest * high,
        "window": full,
        window: full * wide,
        "single": left,
        "single_term": left * wide,
        "divisor": out * wide + lines * high if name == "average_pool" else 0,
    }


def _attention(_: str, numbers: list[int]) -> Counts:
    """As `kernels/attention.c` goes, a query at a time; a causal one sees the keys before it."""
    batch, heads, _kv, queries, keys, size, v_size, causal = numbers[:8]
    seen = Counter(min(row + 1, keys) if causal else keys for row in range(queries))
    each = batch * heads
    pairs = each * sum(count * times for count, times in seen.items())
    softmax: Counter[str] = Counter()
    for count, times in seen.items():
        softmax.update(rows(each * times, count, "softmax_"))
    return {
        **rows(pairs, size),
        **softmax,
        "query": each * queries,
        "masked": pairs if any(numbers[-4:]) else 0,
        "weigh": pairs * (v_size // 16),
        "weigh_quad": pairs * (v_size % 16 // _LANES),
        "weigh_one": pairs * (v_size % _LANES),
        "weigh_vector": each * queries * (v_size // 16 + v_size % 16 // _LANES + v_size % _LANES),
    }


def _recurrent(name: str, numbers: list[int]) -> Counts:
    """As `kernels/recurrent.c` goes: folded sums for each gate, then the cells."""
    steps, batch, inputs, hidden = numbers[:4]
    cells, gates = steps * batch, _GATES[name]
    sums = Counter(rows(cells * gates * hidden, inputs))
    sums.update(rows(cells * gates * hidden, hidden))
    return {
        **sums,
        "cell": cells,
        "state": cells * hidden,
        "function": cells * gates * parts(hidden, _LANES),
    }


_PLAIN: Final[Mapping[str, Callable[[list[int]], Counts]]] = {
    "layer_norm": _norm,
    "rms_norm": _norm,
    "batch_norm": _batch_norm,
    "group_norm": _group_norm,
}
_STRUCTURES: Final[Mapping[str, Callable[[str, list[int]], Counts]]] = {
    "caimi_attention": _attention,
    "caimi_broadcast": _broadcast,
    "caimi_view": _view,
    "caimi_pool": _pool,
    "caimi_recurrent": _recurrent,
}
