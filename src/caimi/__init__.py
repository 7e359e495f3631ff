"""CAIMI: publish an AI model once, use it from any chain."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caimi.client.sdk import Network, connect

    __version__: str

__all__ = ["Network", "__version__", "connect"]


def __getattr__(name: str) -> object:
    # Imported on first use: most commands need nothing of it, and start in a fraction of the time.
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415

        return version("caimi")
    if name in ("connect", "Network"):
        from caimi.client import sdk  # noqa: PLC0415

        return getattr(sdk, name)
    raise AttributeError(f"module 'caimi' has no attribute {name!r}")
