"""Fictional universes of a hundred to a million entities, streamed.

`layout` has the links between entities, `names` their names, `facts` their facts, `pages` the sentences that state
them, `questions` the questions, `write` the files; `solve` answers from the written facts alone.

The idea: every fact is a function of the seed and an entity's number. Nothing is stored, so memory does not grow; each
fact is decided once, so there is no contradiction; and links lead from block to block by invertible permutations, so
"who was born here" is answered from one block.

`fictionalhot.worlds.small.world` is the small world of the quick start, whose files never change."""
