"""The command line of corpora: build, adopt, verify, search, inject, remove and export indexes."""
