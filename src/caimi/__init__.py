"""CAIMI: publish an AI model once, use it from any chain."""

from importlib.metadata import version

__version__ = version("caimi")
