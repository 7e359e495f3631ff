"""ResNet-50 and ResNet-18 in shape, with random weights.

Layouts as in He et al., "Deep Residual Learning for Image Recognition" (arXiv:1512.03385), table 1:
a 7x7 stem, four stages, global average pooling and 1,000 classes. ResNet-50 has 3, 4, 6 and 3
bottlenecks (1x1, 3x3, 1x1; the stride on the 3x3), its batch normalisation folded into the
convolutions, as exporters for inference do. ResNet-18 has two pairs of 3x3 convolutions in each
stage and keeps its batch normalisations, as exporters of training graphs do.
"""

from __future__ import annotations

from typing import Final

from onnx import TensorProto

from zoo.graph import ROWS, GraphBuilder, Shape

IMAGE: Final = (3, 224, 224)
CLASSES: Final = 1000
_BLOCKS_50: Final = (3, 4, 6, 3)
_BLOCKS_18: Final = (2, 2, 2, 2)
_EXPANSION: Final = 4


def resnet50(seed: int) -> bytes:
    """Give the model's ONNX bytes: `image` float32 [1, 3, 224, 224] to `scores` [1, 1000]."""
    graph = GraphBuilder(seed)
    data = graph.op("Relu", graph.conv("image", 3, 64, 7, stride=2))
    data = graph.op("MaxPool", data, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, blocks in enumerate(_BLOCKS_50):
        width = 64 << stage
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 0 else 1
            data = _bottleneck(graph, data, channels, width, stride)
            channels = width * _EXPANSION
    data = graph.op("Flatten", graph.op("GlobalAveragePool", data))
    return classifier(graph, "resnet50", data, channels, 1)


def resnet18(seed: int) -> bytes:
    """Give the model's ONNX bytes: `image` float32 [rows, 3, 224, 224] to `scores` [rows, 1000]."""
    graph = GraphBuilder(seed)
    data = graph.conv("image", 3, 64, 7, stride=2, bias=False)
    data = graph.op("Relu", graph.batch_norm(data, 64))
    data = graph.op("MaxPool", data, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, blocks in enumerate(_BLOCKS_18):
        width = 64 << stage
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 0 else 1
            data = _pair(graph, data, channels, width, stride)
            channels = width
    data = graph.op("Flatten", graph.op("GlobalAveragePool", data))
    return classifier(graph, "resnet18", data, channels, ROWS)


def classifier(graph: GraphBuilder, name: str, data: str, channels: int, rows: int | str) -> bytes:
    """Finish an image model: 1,000 `scores` of the features `data`."""
    weights = graph.weight((channels, CLASSES), channels**-0.5)
    graph.named("scores", "Gemm", data, weights, graph.weight((CLASSES,), 0.01))
    image: Shape = (rows, *IMAGE)
    return graph.build(
        name,
        {"image": (TensorProto.FLOAT, image)},
        {"scores": (TensorProto.FLOAT, (rows, CLASSES))},
    )


def _bottleneck(graph: GraphBuilder, data: str, taken: int, width: int, stride: int) -> str:
    given = width * _EXPANSION
    inner = graph.op("Relu", graph.conv(data, taken, width, 1))
    inner = graph.op("Relu", graph.conv(inner, width, width, 3, stride=stride))
    inner = graph.conv(inner, width, given, 1)
    straight = data if taken == given else graph.conv(data, taken, given, 1, stride=stride)
    return graph.op("Relu", graph.op("Add", inner, straight))


def _pair(graph: GraphBuilder, data: str, taken: int, given: int, stride: int) -> str:
    def normed(source: str, channels: int, size: int, step: int) -> str:
        mixed = graph.conv(source, channels, given, size, stride=step, bias=False)
        return graph.batch_norm(mixed, given)

    inner = normed(graph.op("Relu", normed(data, taken, 3, stride)), given, 3, 1)
    straight = data if taken == given else normed(data, taken, 1, stride)
    return graph.op("Relu", graph.op("Add", inner, straight))
