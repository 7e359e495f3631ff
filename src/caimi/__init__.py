"""CAIMI: publish an AI model once, use it from any chain."""
