"""Proofs by client type: one prover for each kind of light client that a route may have."""
