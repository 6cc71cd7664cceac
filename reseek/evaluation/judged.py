"""The LLM judge's verdicts on a run's answers, as saved in the run's folder."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from reseek.errors import InputError, first_problem

FILE = "llm_judge.json"


class JudgedAnswers(BaseModel):
    """By set and question id, whether the model called the answer right. `prompt` is the template's hash."""

    model_config = ConfigDict(frozen=True)

    model: str
    prompt: str
    sets: dict[str, dict[str, bool]]

    def share(self, name: str) -> float | None:
        """The share of a set's judged answers that are right."""
        judged = self.sets.get(name)
        return sum(judged.values()) / len(judged) if judged else None


def read_judged(folder: Path) -> JudgedAnswers | None:
    """The judge's verdicts in a run's folder; None if there are none. Raises InputError."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return JudgedAnswers.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise InputError(f"{path}: {first_problem(error)}") from None
