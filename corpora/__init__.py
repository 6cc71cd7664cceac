"""Closed corpora: passage files and the indexes through which the agent searches them.

Passages: `record` (one passage, a fingerprint of many), `formats` (a line), `passages` (a file). An index: `build` and
`index` make and check it, `adopt` takes over one that others made, `snapshot` makes the next version of it by linking
its files, `export` writes its passages to a file. Below these: `manifest` proves that an index is complete and which
corpus it holds, `index_folder` makes a folder appear whole or not at all, `hard_links` shares files, `engine` writes
and `reader` reads Lucene, `documents` is the stored form of a passage, `jvm` runs the Java that Lucene needs. `dense`
is the other kind of index, of vectors, and `any_index` the operations common to both. `cli` has the commands of
`reseek corpus`.
Importing this package starts no Java and loads no torch.
"""
