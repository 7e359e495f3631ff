"""The tables of all stores, in one metadata."""
