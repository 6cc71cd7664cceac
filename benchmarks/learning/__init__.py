"""Does the embedded model learn? Curves over seeds, an ordinary start, and controls in which nothing can be learnt."""
