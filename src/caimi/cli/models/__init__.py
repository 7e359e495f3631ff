"""The commands about models, one a module."""
