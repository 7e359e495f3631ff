"""IBC v2 as every ledger family speaks it: packets, their commitments, paths and protobuf form.

It knows no ledger and no role.
"""
