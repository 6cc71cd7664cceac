"""`python -m fictionalhot` is the old name of `reseek fictionalhot`: importing reseek answers it with the new one."""
