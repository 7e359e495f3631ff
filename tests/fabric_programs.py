"""Fabric's programs for whoever tests with them."""

from __future__ import annotations

from caimi.ledgers.fabric.local.building import build_programs
from caimi.ledgers.fabric.local.programs import find_sources


def needs_programs() -> None:
    """Build Fabric's programs where they never were: minutes, once on a machine."""
    sources = find_sources()
    assert sources is not None
    build_programs(sources)
