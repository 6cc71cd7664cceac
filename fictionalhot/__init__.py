"""Fictional worlds: passages and questions whose facts exist nowhere else.

`names` makes up words, `facts` the entities, `render` their passages, `ask` the questions, `world` the files. A model
can't know an answer beforehand, and a question has exactly one right answer in its world.

Knows nothing of agents, retrievers, tokens or training.
"""
