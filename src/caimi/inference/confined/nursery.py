"""The process that has ONNX Runtime loaded, of which those that run models are forked.

Loading the library takes a third of a second, forking a few milliseconds.
"""

from __future__ import annotations

import json
import socket

from caimi.inference.confined import forking, runtime
from caimi.inference.onnx_runtime import ort


def serve(descriptor: int) -> None:
    """Tell what the library is, and fork what the host asks for, until it is gone."""
    control = socket.socket(fileno=descriptor)
    control.send(json.dumps([ort.__version__, ort.get_available_providers()]).encode())
    forking.serve(control, runtime.serve)
