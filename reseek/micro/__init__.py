"""The embedded micro model: architecture, shipped checkpoints, scripted expert and warm-up."""
