"""Start of the process that runs modules: find wasmtime and our few modules, and nothing more.

Run as ``python -I -S boot.py DESCRIPTOR CAIMI SITE``. Importing `caimi` as packages are imported
would bring what its roots need; here they are bare names for their directories.
"""

import sys
from importlib import import_module
from types import ModuleType

_PACKAGES = (
    "caimi",
    "caimi.inference",
    "caimi.inference.wasm",
    "caimi.inference.wasm.hosting",
)


def _boot(descriptor: str, caimi: str, site: str) -> None:
    sys.path.append(site)
    for name in _PACKAGES:
        package = ModuleType(name)
        package.__path__ = ["/".join([caimi, *name.split(".")[1:]])]
        sys.modules[name] = package
    import_module("caimi.inference.wasm.hosting.child").serve(int(descriptor))


if __name__ == "__main__":
    _boot(*sys.argv[1:])
