"""Models that nobody wrote, through the compiler and through ONNX Runtime: the answers must agree."""
