"""The rule-based back end: real questions made fictional without a language model.

`words` cuts text into words, `lexicon` counts how a corpus writes them, `spans` finds names, `invent` makes new ones,
`renaming` maps old names to new ones and rewrites a text, `fictionalise` applies it to a question and its passages.

The idea: a document is its source passage under a renaming that keeps different names different and shifts all years
alike. Every relation between the real passages therefore holds between the fictional ones, and no statement is added: a
renaming can neither complete a passage nor contradict it.
"""
