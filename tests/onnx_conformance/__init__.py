"""The ONNX standard's own node tests, through the compiler to WebAssembly and what runs it."""
