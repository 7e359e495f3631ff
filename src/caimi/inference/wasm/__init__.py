"""Models as WebAssembly: the same bits on every machine."""

from typing import Final

SUFFIX: Final = ".wasm"
"""How the names of compiled modules in a package end."""
