"""Models that nobody wrote, compiled and through ONNX Runtime: the answers must agree."""
