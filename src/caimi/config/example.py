"""The file that `caimi init` writes: what is optional is commented out."""

from __future__ import annotations

EXAMPLE = """\
# CAIMI configuration. Paths are relative to this file.
# `caimi devnet up` writes a complete one for a local network.

state = "state"                 # journal of your own operations

[keys]
directory = "keys"              # V3 keystores; make one with `caimi keys new alice`
# default = "alice"
# passphrase_file = "passphrase"  # or CAIMI_PASSPHRASE, CAIMI_PASSPHRASE_FILE, or the prompt
# contract = "eip155:1:0x…"     # a contract account that holds licences and takes your signatures

[store]
kind = "local"
path = "store"                  # sealed chunks and manifests, by content

# [database]                    # without it, SQLite files in state
# url = "postgresql+psycopg://caimi@db.example.org/caimi"  # the password is best in ~/.pgpass
# prefix = "caimi"              # of the schemas: one for each user that shares the database

[delivery]
mode = "self"                   # or "service" where a relayer process runs
wait_seconds = 120

# [[ledgers]]
# id = "eip155:1"               # CAIP-2
# name = "mainnet"
# family = "evm"                # of ledgers; the namespace of the id says so too
# rpc = "http://127.0.0.1:8545"
# endpoints = ["https://..."]    # further nodes: validators sign what none contradicts
# quorum = 2                    # how many of all must answer; default every one
# finality = "finalized"        # or "depth:12"
# # `caimi deploy mainnet` writes what follows here; so did whoever put CAIMI there.
# deployed_at = 0               # block of the deployment
# [ledgers.contracts]
# authority = "0x..."
# gateway = "0x..."
# registry = "0x..."
# bridge = "0x..."
# market = "0x..."
# receipts = "0x..."
# messages = "0x..."
# fees = "0x..."

# Tokens to price and pay in, beside each ledger's coin; checked against their contracts.
# [[assets]]
# symbol = "USDC"
# ledger = "mainnet"
# address = "0x..."
# decimals = 6

# What `caimi service relayer` does; without it, everything at once and for nothing.
# [relayer.price_caps]
# mainnet = 80_000_000_000      # wei a gas: above it nothing is sent there
# [relayer.turns]               # the same at each of the relayers that share the work
# accounts = ["eip155:1:0x...", "eip155:1:0x..."]  # of each of them, on each ledger
# [[relayer.routes]]            # the first that fits a route counts; what is left out fits all
# source = "mainnet"
# minimum_fee = 10_000_000_000_000_000  # escrowed for this relayer, or it carries nothing
# packets = 50                  # a batch goes once it has so many packets,
# work = 10_000_000             # or takes so much gas,
# wait_seconds = 30             # or its oldest packet has waited so long

# Who keeps service accounts in coins: `caimi service treasury`, `caimi treasury show`.
# [[treasuries]]
# ledger = "mainnet"
# key = "treasury"              # pays; a name of the keyring
# floor = "0.05"                # who has less of the ledger's coins
# ceiling = "0.2"               # is given as many as are lacking to this
# daily_cap = "1"               # no more leaves within 24 hours, whatever is asked for
# keys = ["relayer", "guardian"]  # who is kept, beside the workers and relayers named here
# accounts = ["0x..."]          # and these

# How `caimi service worker` runs models.
# [serving]
# ledger = "mainnet"            # whose account of its key signs and anchors receipts; or the first
# provider = "auto"             # CUDA where ONNX Runtime runs on it, else the CPU; or one of them
# threads = 1                   # of one run
# at_once = 64                  # requests under way
# batch_rows = 8                # together, of models whose rows stay apart; 1: never
# batch_kib = 1024              # of inputs together; more pays on CUDA
# batch_wait_ms = 0.0           # for others to come
# models = ["caimi:eip155:1:0x...", "eip155:1:0x..."]  # what it serves: models, versions,
#                               # publishers; without it, what its own key published or bought
# models_open = 64              # at a time
# models_mib = 8192             # of files of models that are kept open, and on the disk
# run_seconds = 60.0            # a run that takes longer is ended
# memory_mib = 8192             # of one model's process; without it, 3/4 of the machine's
# arena_mib = 4096              # of that, for what runs of one model need

# [tls]                         # whom it believes, and how services know it
# trust = ["org-a.pem"]         # authorities or single certificates; without it, the public ones
# certificate = "relayer.pem"   # shown to services that ask; a worker serves TLS with it
# key = "relayer.key"           # of mode 0600
# [profiles.test]               # another network, for `--profile test`: all that a file can say,
# state = "state-test"          # and nothing of what is above; or a file ~/.config/caimi/test.toml

# [committee]
# group_key = "0x..."
# [[committee.custodians]]
# index = 1
# url = "https://127.0.0.1:9001"
# account = "0x..."             # of the key that it attests and signs shares with
# trust = "org-a.pem"           # whom alone this node may be
"""
