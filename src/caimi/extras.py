"""What is installed only with an extra, and saying which one somebody lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Final

from caimi.errors.operations import ExtraMissing

EXTRAS: Final[Mapping[str, str]] = {
    "emx_onnx_cgen": "wasm",
    "jinja2": "wasm",
    "wasmtime": "wasm",
    "ziglang": "wasm",
    "fastapi": "service",
    "grpc": "service",
    "prometheus_client": "service",
    "starlette": "service",
    "uvicorn": "service",
    "eth": "demo",
    "skl2onnx": "demo",
    "sklearn": "demo",
    "threadpoolctl": "demo",
}
"""The extra of this distribution that brings a package, by the name that it is imported by."""


@contextmanager
def extra_named(whole: str | None = None) -> Iterator[None]:
    """Say which extra is missing, where an import within finds no package of one.

    It is the one that brings the package, or the `whole` that brings it with others.

    Raises:
        ExtraMissing: an extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise missing(package, whole or EXTRAS[package]) from error


def check_extras(*extras: str) -> None:
    """See to it that all packages of some extras are there, before processes are started.

    Raises:
        ExtraMissing: one of them is not installed.
    """
    for package, extra in EXTRAS.items():
        if extra in extras and find_spec(package) is None:
            raise missing(package, extra)


def missing(package: str, extra: str) -> ExtraMissing:
    """Give the error for a package of an extra that is not installed."""
    return ExtraMissing(
        f"This needs {package}, which is not installed.",
        why=f"It comes with the extra {extra!r}: not everybody needs it, and it is large.",
        next_step=f"Run `pip install 'caimi[{extra}]'`.",
    )
