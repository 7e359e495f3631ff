"""Running ONNX Runtime in confined processes of their own."""
