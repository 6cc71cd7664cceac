"""The learning benchmark of the embedded model: curves over seeds, an ordinary start, and negative controls."""
