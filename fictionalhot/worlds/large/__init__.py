"""Fictional universes of a hundred to a million entities, streamed.

`layout` says who is linked with whom, `names` who is called what, `facts` what is true, `pages` tells it in sentences,
`questions` asks, `write` makes the files, `solve` answers from the written facts alone.

The idea: every fact is a function of the seed and an entity's number. Nothing is stored, so memory does not grow; each
fact is decided once, so nothing contradicts; and links lead from block to block by permutations that can be undone, so
"who was born here" is answered by looking at one block.

`fictionalhot.worlds.small.world` is the small world of the quick start, whose files never change; this is its grown-up
sibling. """
