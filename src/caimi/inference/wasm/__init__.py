"""Models compiled to WebAssembly: the same bits on every machine."""
