"""Checking what a node tells against what the headers of blocks commit to."""
