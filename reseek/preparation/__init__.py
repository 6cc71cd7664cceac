"""What a command checks and makes before its run starts: inputs, indexes, models, budgets."""
