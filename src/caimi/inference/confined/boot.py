"""Start of the process that ONNX Runtime's processes are forked from.

Run as ``python -I -S boot.py DESCRIPTOR CAIMI SITE...``. As for modules (`hosting.boot`), our few
modules are imported without what their packages' roots need.
"""

import sys
from importlib import import_module
from types import ModuleType

_PACKAGES = (
    "caimi",
    "caimi.inference",
    "caimi.inference.confined",
    "caimi.inference.wasm",
    "caimi.inference.wasm.hosting",
)


def _boot(descriptor: str, caimi: str, *sites: str) -> None:
    sys.path.extend(sites)
    for name in _PACKAGES:
        package = ModuleType(name)
        package.__path__ = ["/".join([caimi, *name.split(".")[1:]])]
        sys.modules[name] = package
    import_module("caimi.inference.confined.nursery").serve(int(descriptor))


if __name__ == "__main__":
    _boot(*sys.argv[1:])
