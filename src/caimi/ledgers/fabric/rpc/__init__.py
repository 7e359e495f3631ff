"""Asking the peers of a Fabric network: connections, the gateway service, blocks, refusals."""
