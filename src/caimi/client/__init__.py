"""What publishers and consumers do: publish, find, buy, move, unlock, check."""
