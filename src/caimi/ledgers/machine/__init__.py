"""Ledgers whose contracts CAIMI runs itself: the port over `caimi.contracts`.

A family gives a `Machine` (`machine.py`); everything that the port asks for is made of it here.
"""
