"""CAIMI's one exception tree: every error has a stable code, a what, a why and a next step."""

from caimi.errors.base import CaimiError

__all__ = ["CaimiError"]
