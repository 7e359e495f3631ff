"""A toy ledger in one SQLite file, which several programs may have open, as a family of CAIMI's."""
