"""Dense indexes: one vector per passage, and the passages themselves.

`encoder` turns texts into vectors, `vectors` keeps them in a faiss file, `store` the passages in a file that is read by
row, `manifest` proves that the whole is complete; `build` makes an index of a corpus file, `shards` lets a long build
resume where it was killed, `adopt` takes over vectors that others made, `verify` checks an index again.

Dense search itself is `reseek.search.dense`. Importing this package loads neither torch nor faiss.
"""
