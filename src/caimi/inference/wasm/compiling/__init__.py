"""From an ONNX file to one WebAssembly module."""
