"""The tables of a `caimi.toml`: what one of them, or a few kindred ones, may say."""
