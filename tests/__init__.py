"""A package, because an installed dependency ships a `tests` of its own, which would hide `tests.support`."""
