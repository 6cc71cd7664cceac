"""The help pages of the commands that take overrides: what the command does, commands to copy, groups and keys."""

from dataclasses import dataclass

HELP = frozenset({"--help", "-h"})


@dataclass(frozen=True)
class Page:
    """A command's help."""

    command: str
    config: str
    """The file in conf/ that the command composes."""
    settings: str
    """The class of its typed settings in reseek.config.settings."""
    what: str
    examples: tuple[tuple[str, str], ...]
    """A command and what it does."""
    keys: tuple[str, ...]
    without_groups: tuple[str, ...] = ()
    """Groups of the file that the command does not read."""
    docs: str = ""


_SHARED = """policy.path questions.train questions.validation questions.folder corpus.path corpus.index agent.max_turns
agent.top_k agent.context agent.call_tokens agent.observation_tokens agent.response_tokens search.urls oracle.model
oracle.threshold run.dir run.cache run.seed run.check_only""".split()

TRAIN = Page(
    command="train",
    config="train",
    settings="TrainSettings",
    what="Train a search agent with GRPO, REINFORCE or PPO on verl, Ray and vLLM. Without overrides: the quick start, "
    "16 GRPO steps of the embedded model in the embedded world, a few minutes on a CPU.",
    examples=(
        ("reseek train", "the quick start"),
        ("reseek train algo.steps=50 rewards=paper run.seed=1", "longer, with the paper's rewards, another seed"),
        ("reseek train policy=path policy.path=CHECKPOINT", "continue from a checkpoint in Hugging Face's format"),
        (
            "reseek train policy=smollm2-135m agent=small algo=small questions=jsonl questions.train=QUESTIONS.jsonl "
            "corpus=jsonl corpus.path=PASSAGES.jsonl.gz",
            "your questions, your corpus, a small real model",
        ),
        (
            "reseek train experiment=qwen2.5-3b-grpo corpus.path=... questions.train=... questions.validation=...",
            "the paper's run on 8 GPUs",
        ),
    ),
    keys=(
        *"""algo.steps algo.epochs algo.estimator algo.credit algo.learning_rate algo.questions_per_step
        algo.sessions_per_question algo.temperature algo.kl_loss algo.validate_every algo.save_every rewards.match
        rewards.wrong_yes rewards.wrong_no rewards.aggregate""".split(),
        *(key for key in _SHARED if key != "questions.folder"),
        *"run.name run.record_every run.preflight cluster.gpus_per_node".split(),
    ),
    without_groups=("sft",),
    docs="docs/training.md, docs/rewards.md, docs/oracles.md",
)

SFT = Page(
    command="sft",
    config="train",
    settings="SftSettings",
    what="Train a search agent by imitation of episodes: an expert's in the embedded world (sft=scripted) or on any "
    "questions (sft=expert), recorded ones (sft=recorded), or the policy's own right ones (sft=sampled). Usually "
    "before `reseek train`.",
    examples=(
        ("reseek sft policy.warmup_steps=0", "the embedded model from random weights, on an expert's episodes"),
        (
            "reseek sft sft=expert policy=path policy.path=CHECKPOINT",
            "any model, any questions and corpus: an expert that knows the answers plays the demonstrations",
        ),
        ("reseek sft sft=recorded 'sft.files=[EPISODES]'", "episodes of `reseek eval` or rollouts of `reseek train`"),
        (
            "reseek sft sft=sampled sft.samples=8 policy=path policy.path=CHECKPOINT",
            "rejection sampling: keep the episodes that answer right",
        ),
        ("reseek sft sft.agreeing=true", "keep only episodes whose verdicts agree with the oracle"),
    ),
    keys=(
        *"""sft.source sft.files sft.yes_share sft.unanswerable_share
        sft.carelessness sft.samples sft.engine sft.temperature sft.concurrency sft.right sft.agreeing
        sft.most_per_question sft.max_tokens sft.validation_share sft.epochs sft.steps sft.learning_rate
        sft.warmup_ratio sft.weight_decay sft.batch_rows sft.device_rows sft.save_every""".split(),
        *(key for key in _SHARED if key not in ("questions.validation", "questions.folder", "search.urls")),
    ),
    without_groups=("algo",),
    docs="docs/sft.md",
)

EVAL = Page(
    command="eval",
    config="eval",
    settings="EvalSettings",
    what="Evaluate a search agent on question sets: exact match with 95 % intervals, judge accuracy, searches, and the "
    "share of questions that the corpus can answer. Writes result.md, result.json and one record per episode.",
    examples=(
        ("reseek eval", "the embedded model on the embedded world's test questions"),
        ("reseek eval evaluation.engine=transformers evaluation.limit=3", "three of them, without vLLM"),
        ("reseek eval policy=path policy.path=CHECKPOINT", "a checkpoint, for example of `reseek train`"),
        (
            "reseek eval method=search_r1 policy=smollm2-135m agent=small questions=jsonl questions.folder=QA_FOLDER "
            "corpus=jsonl corpus.path=PASSAGES.jsonl.gz",
            "a baseline on your sets",
        ),
        ("reseek eval -m agent.max_turns=1,2,3,4", "a sweep: one evaluation per value"),
    ),
    keys=(
        *"""evaluation.engine evaluation.limit evaluation.temperature evaluation.concurrency evaluation.replicas
        evaluation.read_corpus_up_to policy.dtype questions.split search.device search.cache_entries
        agent.prompt_tokens agent.deadline_s""".split(),
        *(key for key in _SHARED if key not in ("questions.train", "questions.validation")),
        "run.name",
    ),
    docs="docs/evaluation.md",
)


def show(page: Page) -> None:
    """Print a help page. What it imports takes a moment, which other commands do not wait for."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from reseek.program.conf_reading import groups, keys

    console = Console(highlight=False)

    def heading(text: str) -> None:
        console.print(Text(f"\n{text}", style="bold"))

    def block(table: Table) -> None:
        console.print(Padding(table, (0, 0, 0, 2)))

    def columns(*no_wrap: bool) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for fixed in no_wrap:
            table.add_column(no_wrap=fixed)
        return table

    console.print(Text.assemble(("Usage: ", "bold"), f"reseek {page.command} [GROUP=OPTION | KEY=VALUE]... [-m]\n"))
    console.print(Text(page.what))
    heading("Commands to start from")
    for command, what in page.examples:
        console.print(Padding(Text(f"# {what}", style="dim"), (0, 0, 0, 2)))
        console.print(Padding(Text(command, style="cyan"), (0, 0, 0, 2)))
    heading("Groups (GROUP=OPTION; the default is marked with *)")
    table = columns(True, False)
    for group in groups(page.config):
        if group.name not in page.without_groups:
            options = " ".join(f"{option}*" if option == group.chosen else option for option in group.options)
            table.add_row(Text(group.name, style="cyan"), Text(options))
    block(table)
    heading("Keys that are changed most (KEY=VALUE)")
    table = columns(True, False, False)
    for key in keys(page.config, page.settings, list(page.keys)):
        table.add_row(Text(key.name, style="cyan"), Text(key.default), Text(key.description))
    block(table)
    heading("More")
    table = columns(True, False)
    for words, what in (
        ("--cfg job", "print the whole configuration that would be used, and stop"),
        ("run.check_only=true", "check configuration and input, make what is missing, start nothing"),
        ("-m KEY=A,B", "a sweep: one run per value"),
        ("--config-dir FOLDER", "your own folder of configurations, searched beside the built-in one"),
        (page.docs, "how it works"),
        ("docs/reference.md", "every key"),
    ):
        table.add_row(Text(words, style="cyan"), Text(what))
    block(table)
