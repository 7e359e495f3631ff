"""What a compiled model's run costs, told from its graph before anything is compiled or run."""
