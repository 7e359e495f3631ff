"""Work of matrix products, as `kernels/product.c` and `row.c` divide it up.

The constants are those of the kernels: when their tiles change, so must these, and the schedule has
to be fitted anew. What a product of m x k by k x n does:

- for each block of columns and each block of terms, the right matrix is packed in panels of eight
  columns (``panel``: rows of a panel, ``turned``: those of a transposed matrix, ``loose``: rows of
  a panel that is not full, copied one element at a time: ``odd`` of them);
- four rows of the left one are expanded (``spread``: elements; ``stride``: those that do not lie
  side by side);
- each tile of four by eight sums takes one term a ``step``; ``tile`` and ``edge`` count tiles, and
  those that stick out.

A product of one row packs nothing: ``row.quad`` counts four sums taking four terms, ``row.line``
rounds of four terms, ``row.last`` the terms left over and ``row.edge`` the sums; ``row.turned`` and
so on the same from a transposed matrix, four sums a round.

Finished sums pass the epilogue in vectors of four (``finish.vector``), ``finish.line`` rows of
them; ``finish.rest`` counts the sums of rows under four, which are copied first; ``finish.bias``
and so on count vectors with what is done besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caimi.inference.wasm.fuel.work import Work, parts

ROWS: Final = 4
COLUMNS: Final = 8
LANES: Final = 4
_STEPS: Final = 256
_SCRATCH: Final = 98_304
_WIDEST: Final = 1024
_ROW_WIDTH: Final = 2048


def finish_counts(rows: int, columns: int, extras: tuple[str, ...], lines: int) -> dict[str, int]:
    """Count what the epilogue does with `rows` of `columns` sums, in `lines` calls."""
    vectors = rows * parts(columns, LANES)
    counts = {
        "finish.line": lines,
        "finish.vector": vectors,
        "finish.rest": rows * columns if columns < LANES else 0,
        **{f"finish.{name}": vectors for name in extras},
    }
    return {name: count for name, count in counts.items() if count}


@dataclass(frozen=True, slots=True)
class Product:
    """`times` products of m x k by k x n; `extras` names what the epilogue does besides.

    `left_strided`: the left matrix is transposed; `right_turned`: the right one is.
    """

    times: int
    m: int
    n: int
    k: int
    extras: tuple[str, ...] = ()
    left_strided: bool = False
    right_turned: bool = False

    @property
    def multiplies(self) -> int:
        """How many multiply-adds the model asks for."""
        return self.times * self.m * self.n * self.k

    @property
    def blocks(self) -> int:
        """How many blocks of terms; each packs, expands and passes through all tiles."""
        return parts(self.k, self._deep)

    def work(self) -> Work:
        """Give the work of products of matrices in memory, with one bias for each column."""
        if self.m == 1:
            return self._row_work()
        counts = self.tile_counts(("column", *self.extras))
        full = self.n // COLUMNS * self.k * self.times
        loose = int(self.n % COLUMNS > 0) * self.k * self.times
        packed = {"product.turned" if self.right_turned else "product.panel": full}
        packed["product.loose"] = loose
        packed["product.odd"] = loose * (self.n % COLUMNS)
        counts.update({name: count for name, count in packed.items() if count})
        return Work("product", counts, self.multiplies)

    def tile_counts(self, extras: tuple[str, ...]) -> dict[str, int]:
        """Count what all products do, packing aside."""
        across, down = parts(self.n, COLUMNS), parts(self.m, ROWS)
        whole = (self.n // COLUMNS) * (self.m // ROWS)
        wide = parts(self.n, min(_SCRATCH // self._deep // COLUMNS * COLUMNS, _WIDEST))
        each = {
            "product.step": across * down * self.k,
            "product.tile": across * down * self.blocks,
            "product.edge": (across * down - whole) * self.blocks,
            "product.strip": down * self.blocks * wide,
            f"product.{'stride' if self.left_strided else 'spread'}": down * ROWS * self.k * wide,
            "product.block": self.blocks * wide,
            "product.call": 1,
            **finish_counts(self.m, self.n, extras, self.m * wide),
        }
        return {name: count * self.times for name, count in each.items() if count}

    @property
    def _deep(self) -> int:
        blocks = max(parts(self.k, _STEPS), 1)
        return max(parts(parts(self.k, blocks), 16), 1) * 16

    def _row_work(self) -> Work:
        fours, rest = divmod(self.n, LANES)
        steps, last = divmod(self.k, LANES)
        each = {
            "row.call": 1,
            "row.turned" if self.right_turned else "row.quad": fours * steps,
            "row.turned_line" if self.right_turned else "row.line": (
                fours if self.right_turned else steps
            ),
            "row.turned_last" if self.right_turned else "row.last": (
                fours * last if self.right_turned else last * self.n
            ),
            "row.turned_edge" if self.right_turned else "row.edge": (
                rest * self.k if self.right_turned else rest * steps
            ),
            **finish_counts(1, self.n, ("column", *self.extras), parts(self.n, _ROW_WIDTH)),
        }
        counts = {name: count * self.times for name, count in each.items() if count}
        return Work("row", counts, self.multiplies)
