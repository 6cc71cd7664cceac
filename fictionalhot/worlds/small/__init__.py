"""The small fictional world: facts, names, questions and pages of the embedded corpus."""
