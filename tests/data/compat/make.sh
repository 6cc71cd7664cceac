#!/usr/bin/env bash
# Make the artefacts of commit a9ceba9, which `pack.py` turns into the archives beside this file (README.md).
#
#   make.sh CHECKOUT FOLDER      CHECKOUT: a clone at a9ceba9 after `make setup`; FOLDER: what to make
#
# About 3 minutes on 2 cores. Every command runs inside FOLDER, with paths relative to it.
set -euo pipefail
checkout=$(realpath "$1")
mkdir "$2" && cd "$2"
[ "$(git -C "$checkout" rev-parse --short=7 HEAD)" = a9ceba9 ] || { echo "$checkout is not at a9ceba9" >&2; exit 2; }
python="$checkout/.venv/bin/python"
export RESEEK_CACHE=cache HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1

# --- what the commands read: 12 passages, 10 questions, a table, a data set in the hub's layout, judged observations
PYTHONPATH="$checkout" "$python" - <<'PYTHON'
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
from tests.support.fiction import PASSAGES, QUESTIONS
from tests.support.hub import flashrag, row


def lines(name, records):
    Path(name).write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


lines("passages.jsonl", [passage.model_dump() for passage in PASSAGES])
lines("questions.jsonl", [question.model_dump(exclude_defaults=True) for question in QUESTIONS])
rows = [row(f"test_{n}", q.question, list(q.golden_answers)) for n, q in enumerate(QUESTIONS[:3])]
pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), "nq.parquet")
flashrag(Path("flashrag"))
pairs = [
    {"question": q.question, "golden_answers": list(q.golden_answers), "observation": p.text, "good": good}
    for number, q in enumerate(QUESTIONS[:4])
    for p, good in [(next(p for p in PASSAGES if q.golden_answers[0] in p.text), True), (PASSAGES[-1 - number], False)]
]
lines("pairs.jsonl", pairs)
PYTHON

# --- indexes: BM25, dense; a release, whose index is a version of a base with its documents injected
"$python" -m corpora build passages.jsonl index
"$python" -m corpora build passages.jsonl dense --dense
"$python" -m fictionalhot.build questions.jsonl --corpus passages.jsonl --out fiction --count 10 --name tiny

# --- the question cache: a table, a set of the hub, a mix
"$python" "$checkout/eval.py" run.check_only=true corpus=jsonl corpus.path=passages.jsonl corpus.index=index \
    questions=jsonl questions.sets.nq=nq.parquet \
    'questions.sets.hotpotqa={hub: flashrag, config: hotpotqa, split: dev}'
"$python" "$checkout/train.py" run.check_only=true corpus=jsonl corpus.path=passages.jsonl corpus.index=index \
    questions=jsonl +questions.mix.nq=nq.parquet +questions.mix.tiny=questions.jsonl policy.start=capable \
    algo.questions_per_step=4 algo.mini_batch_questions=4

# --- a calibration card, and the cache of its scores
"$python" -m reseek.oracle.calibrate oracle=minilm oracle.cache=scores.sqlite --pairs pairs.jsonl --out calibration

# --- an evaluation, and its replays
"$python" "$checkout/eval.py" run.dir=evaluation policy.start=capable evaluation.engine=transformers evaluation.limit=3
"$python" -m reseek.evaluation.counterfactual evaluation --limit 2

# --- a training run
"$python" "$checkout/train.py" run.dir=training policy.start=capable run.record_every=1 questions.validation_limit=4 \
    algo.questions_per_step=4 algo.sessions_per_question=2 algo.mini_batch_questions=4 algo.steps=2 algo.save_every=2 \
    algo.validate_every=2 algo.validate_first=false

# --- an SFT run; one that was killed with signal 9 while it played its episodes
sft=("$checkout/train.py" stage=sft sft.steps=2 sft.batch_rows=8 sft.device_rows=4 sft.save_every=1 policy.start=capable)
"$python" "${sft[@]}" run.dir=sft questions.train_limit=8
"$python" "${sft[@]}" run.dir=killed questions.train_limit=400 &
run=$!
while [ ! -s killed/episodes/scripted.jsonl ]; do kill -0 $run; sleep .02; done
kill -9 $run
wait $run || true

# --- the conditions of the SFT runs, whose episodes hold only a hash of them (it depends on the folder's path)
"$python" - <<'PYTHON'
import json
from pathlib import Path

from omegaconf import OmegaConf
from reseek.evaluation.conditions import conditions_of
from reseek.prepare import prepare
from reseek.settings import load_settings
from reseek.settings.evaluation import EvaluationSettings

settings = load_settings(OmegaConf.load("sft/config.yaml"))
sft = settings.sft
asking = EvaluationSettings(engine=sft.engine, temperature=sft.temperature, concurrency=sft.concurrency)
settings = settings.model_copy(update={"evaluation": asking})
conditions = conditions_of(settings, prepare(settings)).model_dump(mode="json")
Path("sft-conditions.json").write_text(json.dumps(conditions, indent=2))
PYTHON
