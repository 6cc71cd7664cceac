"""Closed corpora: passage files and the indexes through which the agent searches them.

Passages: `record` (one passage, the fingerprint of many), `formats` (a line), `passages` (a file). An index: `build`
and `index` make and check it, `adopt` takes over one that others made, `snapshot` makes the next version of it by
linking its files, `export` writes its passages to a file. Below these: `manifest` proves that an index is complete and
which corpus it holds, `atomic` and `index_folder` let a folder appear complete or not at all, `hard_links` shares
files, `engine` writes and `reader` reads Lucene, `documents` is the stored form of a passage, `jvm` runs the Java that
Lucene needs. `dense` is the other kind of index, of vectors; `any_index` has the operations common to both. `python -m
corpora --help` lists the same operations for a shell.

Of reseek only `reseek.errors` is imported here. Importing this package starts no Java and loads no torch.
"""
