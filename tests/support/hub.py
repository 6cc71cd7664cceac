"""A local fake of two data sets of the hub: FlashRAG's folder of configurations, Search-R1's parquet files."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

FACTS = {"supporting_facts": {"title": ["Film", "Director", "Film"], "sent_id": [0, 1, 2]}, "level": "hard"}


def flashrag(folder: Path) -> Path:
    """nq with train and test, hotpotqa with train and dev."""
    sets = {
        "nq": {
            "train": [row("train_0", "who?", ["Ada"]), row("train_1", "where?", ["Rome", "Roma"])],
            "test": [row("test_0", "when?", ["1900", " "])],
        },
        "hotpotqa": {
            "train": [row("train_0", "which?", ["that"], metadata=FACTS)],
            "dev": [row("dev_0", "both?", ["yes"], metadata=FACTS)],
        },
    }
    card = ["---", "configs:"]
    for name, splits in sets.items():
        card += [f"- config_name: {name}", "  data_files:"]
        for split, rows in splits.items():
            path = folder / name / f"{split}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(json.dumps(one) + "\n" for one in rows))
            card += [f"  - split: {split}", f"    path: {name}/{split}.jsonl"]
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
    return folder


def search_r1(folder: Path) -> Path:
    """train.parquet and test.parquet, each of several sets whose ids repeat."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        rows = [
            row(f"{split}_{number}", f"{source} {split} {number}?", [f"a{number}"], **verl(source, split, number))
            for source in ("nq", "hotpotqa")
            for number in range(2)
        ]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / f"{split}.parquet")
    return folder


def row(id: str, question: str, answers: list[str], **more: Any) -> dict[str, Any]:
    return {"id": id, "question": question, "golden_answers": answers, **more}


def verl(source: str, split: str, number: int) -> dict[str, Any]:
    return {
        "data_source": source,
        "prompt": [{"role": "user", "content": "Answer the given question."}],
        "ability": "fact-reasoning",
        "reward_model": {"ground_truth": {"target": [f"a{number}"]}, "style": "rule"},
        "extra_info": {"index": number, "split": split},
    }
