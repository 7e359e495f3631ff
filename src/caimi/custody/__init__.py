"""Custody: threshold keys, who may use them, and their delivery."""
