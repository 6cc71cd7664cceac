"""How many tokens training feeds to the model, against how many it has to: forks, padding and synthetic rows."""
