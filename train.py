"""`python train.py ...` is `reseek train ...`."""

import sys

from reseek.program.commands import app

app(["train", *sys.argv[1:]], prog_name="reseek")
