"""Putting chaincode on a channel: packages, what each organisation approves, what is committed."""
