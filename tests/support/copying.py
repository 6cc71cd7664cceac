"""A model with random weights that searches and judges without any training, and `reseek eval` on it.

It copies (a circuit is planted in it), and its chat template ends with an action: so it searches, judges No and
searches again.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.runs import ROOT

# Two rounds of what the model is to repeat, then a third up to where its own turn begins.
_ROUND = "\n<information> river</information>\n<judge>No</judge>"
TEMPLATE = "{{ messages[0]['content'] }}" + 2 * (_ROUND + " : <search> profession</search>") + _ROUND
PROMPT = "agent.prompt_tokens=128"


def save_copying_model(folder: Path) -> Path:
    """Into `folder`, which is returned."""
    from reseek.micro.model import make_model, make_tokenizer

    tokenizer = make_tokenizer()
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    make_model(0, len(tokenizer)).save_pretrained(folder)
    return folder


def eval_command(folder: Path, *overrides: str) -> list[str]:
    return [sys.executable, str(ROOT / "eval.py"), f"run.dir={folder}", *overrides]


def evaluate(folder: Path, cache: Path, *overrides: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        eval_command(folder, *overrides),
        env={**os.environ, "RESEEK_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=ROOT,
    )
