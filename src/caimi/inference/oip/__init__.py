"""Open Inference Protocol v2: spoken by Triton, KServe and others; both its sides."""
