"""Putting together what a configuration names. Only this package asks families for ledgers."""
