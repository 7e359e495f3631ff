"""What each organisation runs beside its peer: the contracts, carried out over the peer's state."""
