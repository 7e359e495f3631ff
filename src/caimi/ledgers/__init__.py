"""Where facts live: one port (`caimi.ledgers.port`), one adapter a ledger family."""
