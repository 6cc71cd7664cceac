"""`python eval.py ...` is `reseek eval ...`."""

import sys

from reseek.program.commands import app

app(["eval", *sys.argv[1:]], prog_name="reseek")
