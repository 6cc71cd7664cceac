"""The benchmark of search: in process, as a service, and against Search-R1's plain server."""
