"""Question sets: the record, the layouts of published files, and the cache of converted sets."""
