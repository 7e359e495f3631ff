"""The demonstration: one model, three ledgers, everything CAIMI promises, proved step by step."""
