"""MobileNetV2 in shape, with random weights.

Layout as in Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks"
(arXiv:1801.04381), table 2: expansion by 1x1, depthwise 3x3, projection by 1x1, each with its batch
normalisation, and Clip to [0, 6] after the first two.
"""

from __future__ import annotations

from typing import Final

from zoo.graph import ROWS, GraphBuilder
from zoo.resnet import classifier

# Expansion, channels, blocks, stride of the first.
_STAGES: Final = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_STEM: Final = 32
_HEAD: Final = 1280


def mobilenet_v2(seed: int) -> bytes:
    """Give the model's ONNX bytes: `image` float32 [rows, 3, 224, 224] to `scores` [rows, 1000]."""
    graph = GraphBuilder(seed)
    low, high = graph.constant(0), graph.constant(6)

    def block(source: str, taken: int, given: int, size: int, stride: int, group: int) -> str:
        mixed = graph.conv(source, taken, given, size, stride=stride, group=group, bias=False)
        return graph.batch_norm(mixed, given)

    def clipped(source: str, taken: int, given: int, size: int, stride: int, group: int = 1) -> str:
        return graph.op("Clip", block(source, taken, given, size, stride, group), low, high)

    data, channels = clipped("image", 3, _STEM, 3, 2), _STEM
    for expansion, given, blocks, first in _STAGES:
        for place in range(blocks):
            width, stride = channels * expansion, first if place == 0 else 1
            inner = clipped(data, channels, width, 1, 1) if expansion > 1 else data
            inner = clipped(inner, width, width, 3, stride, group=width)
            inner = block(inner, width, given, 1, 1, 1)
            data = graph.op("Add", data, inner) if place else inner
            channels = given
    data = clipped(data, channels, _HEAD, 1, 1)
    data = graph.op("Flatten", graph.op("GlobalAveragePool", data))
    return classifier(graph, "mobilenet_v2", data, _HEAD, ROWS)
