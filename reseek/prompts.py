"""The texts that the environment says: instructions, observation, stub, hint, notice.

Invariant: nothing here depends on the policy or on a tokenizer; the same words reach training and evaluation. The
instructions stand in one user turn; all else is appended raw to the assistant turn. Knows nothing of token ids.
"""

from collections.abc import Sequence
from enum import Enum

from reseek.search import Hit


class Prompt(Enum):
    """Instruction styles (`agent.prompt`)."""

    RESEEK = "reseek"
    """Search, judge each observation, answer: the full instructions for an instruction-tuned model."""
    BARE = "bare"
    """The question alone: for a model that learnt the form from demonstrations (micro)."""


_RESEEK = """\
Answer the question below. You may consult a search engine over a closed collection of documents.

Work in steps. Think inside <think> and </think> whenever it helps. Then take exactly one action:
- <search>query</search> asks the search engine; the best passages come back between <information> and \
</information>.
- <judge>Yes</judge> or <judge>No</judge> must follow each <information> block: Yes if it helps to answer the \
question, No if it does not. A block judged No is removed, so write down anything worth keeping in <note> and </note> \
before you judge.
- <answer>text</answer> gives the final answer, a few words without explanation, and ends the task.

You have at most {max_turns} searches. Example of the form:
<search>author of The Silent Harbour</search>
(information appears here)
<judge>Yes</judge>
<answer>Mira Tolden</answer>

Question: {question}"""

STUB = "<information>removed</information>\n"
HINT = (
    "\nThat was not a valid action. Use <search>query</search>, <judge>Yes</judge> or <judge>No</judge> after"
    " information, or <answer>text</answer>.\n"
)
NOTICE = "\nNo searches are left. Give the final answer now as <answer>text</answer>.\n"
INFORMATION_OPEN = "\n<information>"
INFORMATION_CLOSE = "</information>\n"


def instructions(prompt: Prompt, question: str, max_turns: int) -> str:
    """The user turn."""
    if prompt is Prompt.BARE:
        return question
    return _RESEEK.format(question=question, max_turns=max_turns)


def passages(hits: Sequence[Hit]) -> str:
    """The body of an observation, best hit first; says so where nothing was found."""
    if not hits:
        return "No passage was found."
    return "\n".join(f'Doc {rank}(Title: "{hit.title}") {hit.text}' for rank, hit in enumerate(hits, start=1))
