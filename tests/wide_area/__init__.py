"""Hosts apart in network namespaces, and a wide-area network between them in user space."""
