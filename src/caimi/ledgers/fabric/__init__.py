"""Hyperledger Fabric: CAIMI's contracts as chaincode, and a verified copy of what it did."""
