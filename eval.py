"""Evaluate a search agent: compose the configuration, check it, ask, count.

    python eval.py                                    the embedded model on the embedded world's test questions
    python eval.py evaluation.limit=50                 fewer of them
    python eval.py policy=path policy.path=CHECKPOINT  a checkpoint in transformers' format, e.g. of train.py
    python eval.py policy=smollm2-135m agent=small questions=jsonl questions.folder=DIR corpus=jsonl corpus.path=FILE
    python eval.py run.dir=FOLDER ...                  resume an evaluation that was stopped

Groups: policy questions corpus agent method rewards oracle search cluster. All keys: conf/eval.yaml; what they mean:
reseek/config/agent.py and reseek/config/. Results: result.md, result.json and episodes/<set>.jsonl in the run's folder.
"""

import sys

import hydra
from omegaconf import DictConfig

from reseek.config.composition import register_config
from reseek.run.command import run_command, user_errors

register_config()


@hydra.main(config_path="conf", config_name="eval", version_base=None)
def main(config: DictConfig) -> None:
    from reseek.evaluation.launch import EvaluationFailed, evaluate

    try:
        with user_errors():
            folder = evaluate(config)
    except EvaluationFailed as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)
    print("all checks passed" if config.run.check_only else f"done: {folder}")


if __name__ == "__main__":
    run_command(main)
