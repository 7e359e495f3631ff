"""Names for what the compiler adds to a graph, that nothing in the graph has."""

from __future__ import annotations

from onnx import ModelProto


class FreshNames:
    """Every name that a model's graph uses, and those given out since."""

    def __init__(self, model: ModelProto) -> None:
        graph = model.graph
        self._taken = {value.name for value in (*graph.input, *graph.output, *graph.value_info)}
        self._taken.update(tensor.name for tensor in graph.initializer)
        self._taken.update(name for node in graph.node for name in (*node.input, *node.output))

    def fresh(self, wish: str) -> str:
        """Give `wish`, or the first of ``wish.1``, ``wish.2`` ... that is free, and take it."""
        name, count = wish, 0
        while name in self._taken:
            count += 1
            name = f"{wish}.{count}"
        self._taken.add(name)
        return name

    def free_prefix(self, wish: str) -> str:
        """Give `wish`, underscores added until no name begins with it and a full stop."""
        while any(name.startswith(f"{wish}.") for name in self._taken):
            wish += "_"
        return wish
