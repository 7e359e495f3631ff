"""`python -m caimi.cli` is `caimi`."""

from caimi.cli.app import main

main()
