"""The facets of the ledger port over CAIMI's contracts, and the facts that their events tell."""
