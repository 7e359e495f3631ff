"""Models as WebAssembly: the same bits on every machine."""
