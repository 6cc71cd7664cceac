"""Question sets: where they come from, and what is known of the file that a run reads.

`layouts` turns the rows of others into our questions; `sources` reads rows from a hub, a parquet file or a release;
`kept` makes each such set a JSONL file in the cache, once; `manifest` is what stands in a run's folder of each.
"""
