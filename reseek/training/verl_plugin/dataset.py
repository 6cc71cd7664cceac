"""Questions as verl reads them: a map-style dataset over our question files.

`data.train_files` / `data.val_files` name JSONL files as `read_questions` reads them. Each item carries the user turn
for verl's bookkeeping and the whole question for the agent loop.
"""

from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from reseek.questions.record import Question, read_questions

AGENT_NAME = "reseek"


class QuestionDataset(Dataset):
    """Constructed by verl (`data.custom_cls`) with its own arguments; only the files and the limit matter here."""

    def __init__(self, data_files, tokenizer=None, processor=None, config=None, max_samples: int = -1) -> None:
        files = [data_files] if isinstance(data_files, str) else list(data_files)
        limit = max_samples if max_samples > 0 else None
        self.items: list[tuple[str, Question]] = [
            (Path(file).stem, question) for file in files for question in read_questions(file, limit)
        ]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        source, question = self.items[index]
        return {
            "raw_prompt": [{"role": "user", "content": question.question}],
            "question": question.model_dump_json(),
            "agent_name": AGENT_NAME,
            "data_source": source,
            "reward_model": {"style": "rule", "ground_truth": list(question.golden_answers)},
            "index": index,
        }
