"""The benchmark of oracle scoring: a GRPO batch through the oracle's layers against one model call per observation."""
