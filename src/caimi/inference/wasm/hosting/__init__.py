"""Running modules in confined processes of their own."""
