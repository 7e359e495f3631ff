"""Chaincode in Python: a process of each organisation's own, which its peer calls over gRPC."""
