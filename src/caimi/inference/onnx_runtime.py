"""ONNX Runtime, which tells its maker nothing: the only place that imports it.

Since 1.31 it looks its maker's events host up and keeps, under the user's cache directory, a
device id and a queue of model file names, graph names, error texts and interpreter paths. Whether
it may is read once, when it is loaded: `disable_telemetry_events` comes too late. The variable
stays set, so that every child process is as quiet.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

__all__ = ["ort"]
