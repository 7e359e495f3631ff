"""Fabric networks on this machine: the real programs, without containers."""
