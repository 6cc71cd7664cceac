"""The records of a benchmark: seeds, drafts, proofs, rejections; and what an answer is."""
