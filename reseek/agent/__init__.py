"""The method: grammar, context, prompts and the episode. Pure: no torch, verl or Ray."""
