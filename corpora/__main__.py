"""The command line of corpora: registers each topic's commands in the order in which help lists them."""

from corpora.cli.index import adopt, build, export, info, search, verify
from corpora.cli.program import app
from corpora.cli.versions import inject, remove
from reseek.evaluation.cli_coverage import coverage
from reseek.search.service import serve_index

for command in (build, adopt, verify, info, search, inject, remove, export, coverage):
    app.command()(command)
app.command("serve")(serve_index)

if __name__ == "__main__":
    app(prog_name="python -m corpora")
