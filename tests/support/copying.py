"""A model with random weights that copies (a circuit is planted in it) and therefore searches, judges No and searches
again: its chat template ends with an action."""

from pathlib import Path

# Two rounds of what the model is to repeat, then a third up to where its own turn begins.
_ROUND = "\n<information> river</information>\n<judge>No</judge>"
TEMPLATE = "{{ messages[0]['content'] }}" + 2 * (_ROUND + " : <search> profession</search>") + _ROUND


def copying_model(folder: Path) -> Path:
    """Write it to `folder`."""
    from reseek.policy.micro import make_model, make_tokenizer

    tokenizer = make_tokenizer()
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    make_model(0, len(tokenizer)).save_pretrained(folder)
    return folder
