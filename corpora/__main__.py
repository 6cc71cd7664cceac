"""`python -m corpora` is the old name of `reseek corpus`: importing reseek answers it with the new one."""

import reseek.errors  # noqa: F401
