"""A ResNet-50-shaped ONNX model with random weights.

Layout as in He et al., "Deep Residual Learning for Image Recognition" (arXiv:1512.03385), table 1:
a 7x7 stem, four stages of 3, 4, 6 and 3 bottlenecks (1x1, 3x3, 1x1; the stride on the 3x3), global
average pooling and 1,000 classes. Batch normalisation is folded into the convolutions, as exporters
for inference do.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

OPSET = 18
BLOCKS = (3, 4, 6, 3)
EXPANSION = 4
CLASSES = 1000


class _Graph:
    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def weight(self, shape: tuple[int, ...], scale: float) -> str:
        name = f"weight_{len(self.weights)}"
        values = self._random.standard_normal(shape, dtype=np.float32) * np.float32(scale)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, data: str, taken: int, given: int, size: int, stride: int) -> str:
        weights = self.weight((given, taken, size, size), (2 / (taken * size * size)) ** 0.5)
        return self.op(
            "Conv",
            data,
            weights,
            self.weight((given,), 0.01),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[size // 2] * 4,
        )

    def bottleneck(self, data: str, taken: int, width: int, stride: int) -> str:
        given = width * EXPANSION
        inner = self.op("Relu", self.conv(data, taken, width, 1, 1))
        inner = self.op("Relu", self.conv(inner, width, width, 3, stride))
        inner = self.conv(inner, width, given, 1, 1)
        straight = data if taken == given else self.conv(data, taken, given, 1, stride)
        return self.op("Relu", self.op("Add", inner, straight))


def resnet50(seed: int) -> bytes:
    """Give the model's ONNX bytes: `image` float32 [1, 3, 224, 224] to `scores` [1, 1000]."""
    graph = _Graph(seed)
    data = graph.op("Relu", graph.conv("image", 3, 64, 7, 2))
    data = graph.op("MaxPool", data, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, blocks in enumerate(BLOCKS):
        width = 64 << stage
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 0 else 1
            data = graph.bottleneck(data, channels, width, stride)
            channels = width * EXPANSION
    data = graph.op("Flatten", graph.op("GlobalAveragePool", data))
    weights = graph.weight((channels, CLASSES), channels**-0.5)
    graph.nodes.append(
        helper.make_node("Gemm", [data, weights, graph.weight((CLASSES,), 0.01)], ["scores"])
    )
    model: ModelProto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "resnet50",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 224, 224])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, CLASSES])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
    )
    checker.check_model(model)
    return bytes(model.SerializeToString())
