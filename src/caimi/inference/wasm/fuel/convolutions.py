"""Work of convolutions, as `kernels/conv.c` and `depthwise.c` divide it up.

A convolution is a product of weights and patches of the input, which are packed as they are needed:
``patches.corner`` counts panels of eight outputs, ``patches.tap`` places of the kernel for each,
``patches.run`` rows of a panel taken from one row of the input, ``patches.nothing`` those in the
padding, ``patches.scatter`` those gathered, whose places ``patches.search`` counts.

A depthwise one clears padded rows (``depthwise.zero``: vectors of four), copies the input into them
(``depthwise.copy``: vectors, ``depthwise.single``: elements of short rows and of strides over two)
and takes, for each tap, eight outputs (``pair``) or four (``half``) at a time; kernels of nine taps
are unrolled and counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np

from caimi.inference.wasm.fuel.products import COLUMNS, LANES, Product, finish_counts
from caimi.inference.wasm.fuel.work import Work, parts

_TAPS: Final = 128
_PLANE: Final = 8192
_UNROLLED: Final = 9
_PHASES: Final = 8
_VECTOR_STRIDE: Final = 2


def three(values: Sequence[int], missing: int) -> tuple[int, ...]:
    """Give one to three sizes with leading ones for the dimensions that are missing."""
    return (*[missing] * (3 - len(values)), *values)


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution; sizes have three dimensions, as the kernel takes them."""

    batch: int
    groups: int
    in_channels: int
    out_channels: int
    inner: tuple[int, ...]
    outer: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pad: tuple[int, ...]
    extras: tuple[str, ...] = ()

    def work(self) -> Work:
        """Give the work."""
        if self._is_depthwise:
            return self._depthwise_work()
        taken, repeats = self.in_channels // self.groups, self.batch * self.groups
        channels = self.out_channels // self.groups
        terms = taken * prod(self.kernel)
        if self._is_pointwise and prod(self.outer) == 1:
            row = Product(repeats, 1, channels, terms, self.extras, right_turned=True)
            return row.work()
        product = Product(repeats, channels, prod(self.outer), terms)
        counts = product.tile_counts(self.extras)
        if self._is_pointwise:
            counts |= {
                "product.panel": product.n // COLUMNS * terms * repeats,
                "product.loose": int(product.n % COLUMNS > 0) * terms * repeats,
                "product.odd": product.n % COLUMNS * terms * repeats,
            }
        else:
            runs, nothing, pairs, corners = self._panels()
            scattered = pairs - runs - nothing
            run = "run" if self.stride[2] in (1, 2) else "stride"
            counts |= {
                "patches.corner": corners * product.blocks * repeats,
                "patches.tap": pairs * product.blocks * repeats,
                "patches.search": scattered * product.blocks * repeats,
                f"patches.{run}": runs * taken * repeats,
                "patches.nothing": nothing * taken * repeats,
                "patches.scatter": scattered * taken * repeats,
            }
        kept = {name: count for name, count in counts.items() if count}
        return Work("conv", kept, product.multiplies)

    @property
    def _is_pointwise(self) -> bool:
        ones = all(value == 1 for value in (*self.kernel, *self.stride))
        return ones and not any(self.pad) and self.inner == self.outer

    def _panels(self) -> tuple[int, int, int, int]:
        """Count (panel, tap) pairs that are runs, those in the padding, all of them, and panels."""
        total = prod(self.outer)
        pixels = np.arange(parts(total, COLUMNS) * COLUMNS).reshape(-1, COLUMNS)
        _, high, wide = self.outer
        at = (pixels // wide // high, pixels // wide % high, pixels % wide)
        whole = (pixels[:, -1] < total) & (at[2][:, -1] - at[2][:, 0] == COLUMNS - 1)
        inside = np.ones((len(pixels), 1), dtype=np.bool_)
        outside = np.zeros((len(pixels), 1), dtype=np.bool_)
        for axis in range(3):
            first = at[axis] * self.stride[axis] - self.pad[axis]
            taps = np.arange(self.kernel[axis]) * self.dilation[axis]
            place = first[:, :, None] + taps
            fits = (place >= 0) & (place < self.inner[axis])
            every = np.all(fits, axis=1)
            none = ~fits[:, 0, :] if axis < 2 else np.zeros_like(every)
            inside = (inside[:, :, None] & every[:, None, :]).reshape(len(pixels), -1)
            outside = (outside[:, :, None] | none[:, None, :]).reshape(len(pixels), -1)
        runs, nothing = inside & whole[:, None], outside & whole[:, None]
        return int(runs.sum()), int(nothing.sum()), inside.size, len(pixels)

    @property
    def _is_depthwise(self) -> bool:
        flat = self.inner[0] == self.kernel[0] == self.outer[0] == 1 and self.pad[0] == 0
        return (
            flat
            and self.groups == self.in_channels
            and prod(self.kernel) <= _TAPS
            and self.stride[2] <= _PHASES
            and self._width * self.stride[2] <= _PLANE
            and self._strip_rows > 0
        )

    @property
    def _width(self) -> int:
        """Columns of one remainder under the stride, in a copied row."""
        reach = (self.kernel[2] - 1) * self.dilation[2] // self.stride[2]
        return parts(self.outer[2] + LANES - 1 + reach, LANES) * LANES

    @property
    def _strip_rows(self) -> int:
        fit = _PLANE // (self._width * self.stride[2])
        fit -= (self.kernel[1] - 1) * self.dilation[1]
        rows = 0 if fit < 1 else (fit - 1) // self.stride[1] + 1
        return min(rows, _PLANE // self.outer[2], self.outer[1])

    def _copied_rows(self) -> tuple[int, int]:
        """Count the rows of all strips, and those of them that lie in the input."""
        rows = inside = 0
        for first in range(0, self.outer[1], self._strip_rows):
            out = min(self._strip_rows, self.outer[1] - first)
            top = first * self.stride[1] - self.pad[1]
            tall = (out - 1) * self.stride[1] + (self.kernel[1] - 1) * self.dilation[1] + 1
            rows += tall
            inside += max(min(top + tall, self.inner[1]) - max(top, 0), 0)
        return rows, inside

    def _copied_columns(self) -> tuple[int, int]:
        """Count the vectors and the single elements that are copied of a row."""
        stride, pad = self.stride[2], self.pad[2]
        vectors = singles = 0
        for phase in range(stride):
            first = parts(max(pad - phase, 0), stride)
            end = min(parts(self.inner[2] + pad - phase, stride), self._width)
            count = max(end - first, 0)
            if stride > _VECTOR_STRIDE or count < LANES:
                singles += count
            else:
                vectors += parts(count, LANES)
        return vectors, singles

    def _depthwise_work(self) -> Work:
        high, wide = self.outer[1:]
        rows, inside = self._copied_rows()
        vectors, singles = self._copied_columns()
        pairs = wide // 8 + int(wide % 8 > LANES)
        halves = int(0 < wide % 8 <= LANES)
        taps = prod(self.kernel)
        unrolled = "_nine" if taps == _UNROLLED else ""
        repeats = self.batch * self.out_channels
        strips = parts(high, self._strip_rows)
        each = {
            "depthwise.call": 1,
            "depthwise.weight": taps,
            "depthwise.strip": strips,
            "depthwise.line": rows,
            "depthwise.zero": rows * self._width * self.stride[2] // LANES,
            "depthwise.phase": inside * self.stride[2],
            "depthwise.copy": inside * vectors,
            "depthwise.single": inside * singles,
            "depthwise.row": high,
            f"depthwise.pair{unrolled}": high * pairs * taps,
            f"depthwise.half{unrolled}": high * halves * taps,
            **finish_counts(1, high * wide, self.extras, strips),
        }
        counts = {name: count * repeats for name, count in each.items() if count}
        counts["depthwise.layer"] = 1
        return Work("depthwise", counts, repeats * high * wide * taps)
