"""Fictional worlds: passages and questions whose facts exist nowhere else, so that no model can know an answer.

`worlds.small` is the quick start's world, `worlds.large` a generator for up to a million entities.

Benchmarks out of real questions (`reseek fictionalhot build`): `records` flow through `seeds`, `sample`, a
back end (`offline` or `llm`), `prove`, `inject` and `release`, in the order of `pipeline`, with their state in
`journal`. `audit` checks a release, `readers` and `probe` ask models, `browse` shows it. See docs/fictionalhot.md.
"""

import reseek  # noqa: F401  (answers the old names of this package's modules and commands)
