"""Fictional worlds: passages and questions whose facts exist nowhere else, so that no model can know an answer.

`worlds.small` is the quick start's world, `worlds.large` a generator for up to a million entities.

`builder` makes benchmarks out of real questions (`python -m fictionalhot.builder.build`): the records of
`fictionalhot.items` flow through `seeds`, `sample`, a back end (`fictionalhot.offline` or `fictionalhot.llm`), `prove`,
`inject` and `release`, in the order of `pipeline`, with their state in `journal`. `audit` checks a release
independently, `readers` and `probe` ask models, `browse` shows it. See docs/fictionalhot.md.
"""
