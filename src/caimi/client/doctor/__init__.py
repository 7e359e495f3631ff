"""Checking all that an operator or a user can get wrong, in bounded time and without a key."""
