"""Make what a run needs before anything starts: the world, the index, the model. Each is made once, kept in the cache.

After `prepare` every path in the result exists and was checked; nothing here starts Ray, vLLM or a search. Knows
nothing of training or evaluation.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from corpora.index import ensure_index
from fictionalhot.names import Split
from fictionalhot.world import WorldFiles, ensure_world
from reseek.errors import InputError
from reseek.questions import read_questions
from reseek.settings import KNOWN_SETS, DataSource, PolicySource, QuestionSettings, Settings


@dataclass(frozen=True)
class Prepared:
    """Absolute paths of a run's inputs."""

    model: str
    corpus: Path
    index: Path
    train: Path | None
    validation: Path | None
    sets: dict[str, Path]


def prepare(settings: Settings) -> Prepared:
    """Check the user's inputs, make the embedded ones. Raises InputError naming key or file for what is missing or
    wrong; cheap checks come before anything expensive is made."""
    corpus = _corpus_file(settings)
    train, validation, sets = _question_files(settings)
    for key, path, limit in (
        ("questions.train", train, settings.questions.train_limit),
        ("questions.validation", validation, settings.questions.validation_limit),
        *((f"questions.sets.{name}", path, -1) for name, path in sets.items()),
    ):
        if path is not None:
            _checked(key, path, limit)
    index = _index_folder(settings, corpus)
    ensure_index(corpus, index, k1=settings.corpus.k1, b=settings.corpus.b)
    return Prepared(_model(settings), corpus, index, train, validation, sets)


def world_of(settings: Settings) -> WorldFiles:
    """The embedded world's files, generated if the cache has none."""
    return ensure_world(settings.cache.resolve() / f"world-{settings.world.seed}", settings.world.seed)


def _question_files(settings: Settings) -> tuple[Path | None, Path | None, dict[str, Path]]:
    questions = settings.questions
    if questions.source is DataSource.WORLD:
        world = world_of(settings)
        validation, test = world.questions(Split.VALIDATION), world.questions(Split.TEST)
        return world.questions(Split.TRAIN), validation, {"test": test}
    if settings.algo is not None and questions.train is None:
        raise InputError("questions.train: names no file; set it to a JSONL file of training questions")
    sets = evaluation_sets(questions)
    if settings.evaluation is not None and not sets:
        raise InputError("questions.sets: names no file; set e.g. questions.sets.nq=PATH, or questions.folder=DIR")
    return (
        None if questions.train is None else Path(questions.train).resolve(),
        None if questions.validation is None else Path(questions.validation).resolve(),
        sets,
    )


def evaluation_sets(questions: QuestionSettings) -> dict[str, Path]:
    """The evaluation sets' files: those of `questions.folder` in the known order, then (and instead of a file of the
    folder) the named ones. Raises InputError where the folder holds none."""
    found: dict[str, Path] = {}
    if questions.folder is not None:
        folder = Path(questions.folder).resolve()
        if not folder.is_dir():
            raise InputError(f"questions.folder: {folder}: no such folder")
        candidates = {name: folder / f"{name}.{questions.split}.jsonl" for name in KNOWN_SETS}
        found = {name: path for name, path in candidates.items() if path.is_file()}
        if not found:
            raise InputError(
                f"questions.folder: {folder} holds no <set>.{questions.split}.jsonl (questions.split="
                f"{questions.split}) of a known set: {', '.join(KNOWN_SETS)}"
            )
    return found | {name: Path(path).resolve() for name, path in questions.named_sets.items()}


def _checked(key: str, path: Path, limit: int) -> None:
    try:
        read_questions(path, limit if limit > 0 else None)
    except InputError as error:
        raise InputError(f"{key}: {error}") from None


def _corpus_file(settings: Settings) -> Path:
    if settings.corpus.source is DataSource.WORLD:
        return world_of(settings).passages
    if settings.corpus.path is None:
        raise InputError("corpus.path: names no file; set it to a JSONL or JSONL.gz file of passages")
    path = Path(settings.corpus.path).resolve()
    if not path.is_file():
        raise InputError(f"corpus.path: {path}: no such corpus file")
    return path


def _index_folder(settings: Settings, corpus: Path) -> Path:
    if settings.corpus.index is not None:
        return Path(settings.corpus.index).resolve()
    # One folder per corpus file and BM25 setting: whether it still fits the file is the manifest's to say.
    key = f"{corpus}|{settings.corpus.k1}|{settings.corpus.b}"
    name = f"{corpus.name.partition('.')[0]}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    return settings.cache.resolve() / "indexes" / name


def _model(settings: Settings) -> str:
    policy = settings.policy
    if policy.source is PolicySource.PATH:
        assert policy.path is not None
        folder = Path(policy.path)
        if folder.exists() and not (folder / "config.json").is_file():
            raise InputError(f"policy.path: {folder} holds no config.json: not a transformers checkpoint")
        if not folder.exists() and (policy.path.startswith((".", "/", "~")) or policy.path.count("/") != 1):
            raise InputError(f"policy.path: {folder}: no such model folder")
        return str(folder.resolve()) if folder.exists() else policy.path
    if policy.source is PolicySource.SMOLLM2:
        from reseek.policy.smollm2 import ensure_smollm2  # transformers is heavy: only who needs it pays

        return str(ensure_smollm2(settings.cache.resolve() / "smollm2-135m"))
    from reseek.training.warmup import ensure_micro

    return str(ensure_micro(settings.cache.resolve(), world_of(settings), settings.run.seed, policy.warmup_steps))
