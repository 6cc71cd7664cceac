"""`python -m reseek.report` is the old name of `reseek report`: importing reseek answers it with the new one."""
