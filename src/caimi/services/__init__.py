"""HTTP clients of other people's nodes: the roles' ports, spoken over the wire."""
