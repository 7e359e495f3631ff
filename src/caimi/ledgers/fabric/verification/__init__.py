"""What a peer says of a channel, checked: blocks, who ordered them, who endorsed what is in them.

Pure: it takes bytes and gives what they prove, or raises. A peer that lies can leave things out at
the end, and say of a transaction that it is valid or not; nothing else passes. The flags are not
signed by anybody: they are compared between peers of different organisations.
"""
