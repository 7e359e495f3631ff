"""Keeping service accounts in coins: a floor, a ceiling, and a cap on what leaves in a day."""
