"""Ledgers on Hyperledger Fabric: organisations with certificates, endorsing peers, orderers."""
