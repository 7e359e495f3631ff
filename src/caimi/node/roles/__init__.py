"""What one process of ours does, put together from its settings: one role a module."""
