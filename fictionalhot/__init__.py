"""Fictional worlds: passages and questions whose facts exist nowhere else, so that no model can know an answer.

The quick start's world: `names` makes up words, `facts` the entities, `render` their passages, `ask` the questions,
`world` the files. `universe` is its sibling for up to a million entities.

Benchmarks out of real questions (`python -m fictionalhot.builder.build`): `records` flow through `seeds`, `sample`, a
back end (`offline` or `llm`), `prove`, `inject` and `release`, in the order of `pipeline`, with their state in
`journal`. `audit` doubts a release, `readers` and `probe` ask models, `browse` shows it. See docs/fictionalhot.md.

Knows nothing of agents, tokens or training.
"""
