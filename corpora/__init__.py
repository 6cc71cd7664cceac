"""Closed corpora: what the agent can find.

`passages` reads a corpus, `index` makes a Lucene index of it, `documents` is the stored form of a passage, `manifest`
proves that an index is complete and which corpus it holds, `jvm` runs the Java that Lucene needs.
`python -m corpora --help` is the same from a shell.

Knows nothing of agents, training or questions. Importing this package starts no Java.
"""
