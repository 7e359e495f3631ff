"""CAIMI: publish an AI model once, use it from any chain."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caimi.client.context import Progress
    from caimi.client.network import AsyncNetwork
    from caimi.client.sdk import Network, connect, connect_async
    from caimi.errors import CaimiError

    __version__: str

__all__ = [
    "AsyncNetwork",
    "CaimiError",
    "Network",
    "Progress",
    "__version__",
    "connect",
    "connect_async",
]

_PLACES = {
    "AsyncNetwork": "caimi.client.network",
    "CaimiError": "caimi.errors",
    "Network": "caimi.client.sdk",
    "Progress": "caimi.client.context",
    "connect": "caimi.client.sdk",
    "connect_async": "caimi.client.sdk",
}


def __getattr__(name: str) -> object:
    # Imported on first use: most commands need nothing of it, and start in a fraction of the time.
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("caimi")
    if name in _PLACES:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'caimi' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(globals().keys() | set(__all__))
