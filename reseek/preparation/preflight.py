"""Checks before the first worker starts: budgets against token limits, prompts against their room, batch sizes.

Each failed check is one line that names the keys. It loads the tokenizer and the model's config.json, no weights.
"""

import json
from pathlib import Path

from omegaconf import DictConfig

from reseek.agent.episode import prompt_ids, prompt_text
from reseek.agent.methods import method_of
from reseek.config.agent import AgentConfig
from reseek.config.algo import AlgoSettings
from reseek.config.oracle import OracleConfig
from reseek.config.policy import PolicySource
from reseek.config.run import ClusterSettings
from reseek.config.settings import Settings, TrainSettings
from reseek.errors import InputError, one_line
from reseek.oracle import check_oracle_model, make_oracle
from reseek.oracle.making.calibration_card import calibration_of
from reseek.preparation.prepare import Prepared
from reseek.questions.record import Question, read_questions
from reseek.registry import ESTIMATORS


def check_trainable(settings: Settings) -> None:
    """What can be evaluated and not trained: every trained token must be known, in the context it was sampled in."""
    check_tokens(settings)
    if not method_of(settings.agent).trainable:
        raise InputError(
            f"method={settings.agent.method}: its refinements are sampled outside of the trajectory and can't be "
            "trained with it; it is for reseek eval alone"
        )


def check_tokens(settings: Settings) -> None:
    """Raises InputError for a policy that gives no token ids."""
    if settings.policy.endpoint is not None:
        raise InputError("policy=openai: an endpoint gives no token ids to train on; it is for reseek eval alone")


def check_budgets(agent: AgentConfig, max_prompt: int, max_response: int, max_model_len: int) -> None:
    """The agent's budgets against what the trainer's and the engine's tensors hold."""
    if agent.least_response_tokens > agent.response_tokens:
        raise InputError(
            f"agent.response_tokens={agent.response_tokens}: too small for agent.max_turns={agent.max_turns} x "
            f"agent.observation_tokens={agent.observation_tokens} + agent.call_tokens={agent.call_tokens} = "
            f"{agent.least_response_tokens}; raise it or lower the others"
        )
    for ours, key, limit in (
        ("agent.prompt_tokens", "data.max_prompt_length", max_prompt),
        ("agent.response_tokens", "data.max_response_length", max_response),
    ):
        value = getattr(agent, ours.partition(".")[2])
        if value > limit:
            raise InputError(f"{key}={limit}: {ours}={value} does not fit; raise the former or lower the latter")
    total = agent.prompt_tokens + agent.response_tokens
    if total > max_model_len:
        raise InputError(
            f"agent.prompt_tokens={agent.prompt_tokens} + agent.response_tokens={agent.response_tokens} = {total}: "
            f"more than actor_rollout_ref.rollout.max_model_len={max_model_len}"
        )


def check_algo(algo: AlgoSettings, cluster: ClusterSettings, questions: int) -> None:
    """Batch sizes against each other, the machines, and the number of training questions."""
    if algo.questions_per_step % algo.mini_batch_questions:
        raise InputError(
            f"algo.mini_batch_questions={algo.mini_batch_questions}: must divide "
            f"algo.questions_per_step={algo.questions_per_step}"
        )
    compares = getattr(ESTIMATORS.find(algo.estimator), "compares_sessions", False)
    if compares and algo.sessions_per_question < 2:
        raise InputError(
            f"algo.sessions_per_question=1: algo.estimator={algo.estimator} compares the sessions of a question, "
            "it needs at least 2"
        )
    workers = cluster.nodes * cluster.gpus_per_node
    rows = algo.mini_batch_questions * algo.sessions_per_question
    if rows % workers:
        raise InputError(
            f"algo.mini_batch_questions={algo.mini_batch_questions} x algo.sessions_per_question="
            f"{algo.sessions_per_question} = {rows}: must be divisible by the {workers} workers of cluster.nodes x "
            "cluster.gpus_per_node"
        )
    if questions < algo.questions_per_step:
        raise InputError(
            f"algo.questions_per_step={algo.questions_per_step}: questions.train holds only {questions} questions; "
            "lower the former or bring more"
        )


def check_forward(agent: AgentConfig, cluster: ClusterSettings) -> None:
    """A training row must fit into one forward pass."""
    total = agent.prompt_tokens + agent.response_tokens
    if total > cluster.forward_tokens:
        raise InputError(
            f"cluster.forward_tokens={cluster.forward_tokens}: must hold one row of agent.prompt_tokens + "
            f"agent.response_tokens = {total}"
        )


def check_model(agent: AgentConfig, model: str) -> None:
    """The whole context against the model's positions, where the model is a local folder."""
    config = Path(model) / "config.json"
    if not config.is_file():
        return
    positions = json.loads(config.read_text()).get("max_position_embeddings")
    total = agent.prompt_tokens + agent.response_tokens
    if positions is not None and total > positions:
        raise InputError(
            f"agent.prompt_tokens={agent.prompt_tokens} + agent.response_tokens={agent.response_tokens} = {total}: "
            f"more than the {positions} positions of the model at policy.path={model}"
        )


def check_policy(settings: Settings, model: str) -> None:
    """The files and the kind of a model that the user named: whole, and a language model with all of its weights. A
    model of the hub is fetched."""
    from reseek.policy.pretrained import check_language_model

    if settings.policy.source is PolicySource.PATH:
        check_language_model(model, "policy.path")


def check_prompts(agent: AgentConfig, tokenizer, questions: list[Question], file: Path) -> None:
    """Every question's user turn against agent.prompt_tokens; names the first that is too long. Raises InputError too
    for a chat template that loses the question.

    The template's share of tokens is measured on a sample of the questions; only a question that this estimate and a
    margin bring near the limit is rendered and counted exactly.
    """
    sample = questions[:: max(1, len(questions) // 16)]
    share = max(len(_prompt_ids(tokenizer, agent, q.question)) - _length(tokenizer, q.question) for q in sample)
    _check_questions_are_rendered(agent, tokenizer, sample)
    margin = 8  # tokens may merge differently at the template's seams
    for question in questions:
        if _length(tokenizer, question.question) + share + margin <= agent.prompt_tokens:
            continue
        length = len(_prompt_ids(tokenizer, agent, question.question))
        if length > agent.prompt_tokens:
            raise InputError(
                f"agent.prompt_tokens={agent.prompt_tokens}: the user turn of question {question.id!r} of {file} has "
                f"{length} tokens; raise the budget or drop the question"
            )


def _check_questions_are_rendered(agent: AgentConfig, tokenizer, sample: list[Question]) -> None:
    """Raises InputError where a rendered user turn lacks its question. White space and letter case may change:
    templates strip messages, and a few lower-case them."""
    for question in sample:
        if _plain(question.question) not in _plain(prompt_text(tokenizer, agent, question.question)):
            raise InputError(
                f"policy.chat_template: the template of {getattr(tokenizer, 'name_or_path', '')} loses the question "
                f"({question.id!r} is not in its rendered turn); give one that writes the content of every message"
            )


def _plain(text: str) -> str:
    return "".join(text.casefold().split())


def _prompt_ids(tokenizer, agent: AgentConfig, question: str) -> tuple[int, ...]:
    try:
        return prompt_ids(tokenizer, agent, question)
    except Exception as error:  # a template is a program of whoever published the model
        name = getattr(tokenizer, "name_or_path", "")
        cause = one_line(f"{type(error).__name__}: {error}")[:300]
        raise InputError(
            f"policy.chat_template: the template of {name} fails on the prompt ({cause}); give another, or other "
            "texts of agent"
        ) from error


def _length(tokenizer, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False))


def check_oracle(oracle: OracleConfig) -> None:
    """What can be seen of an oracle before it scores: its model's files and kind, its addresses, the file of known
    scores, the calibration card."""
    check_oracle_model(make_oracle(oracle))
    calibration_of(oracle)


def check_training(settings: TrainSettings, config: DictConfig, prepared: Prepared) -> None:
    """All checks of a training run."""
    from reseek.policy.pretrained import tokenizer_of

    assert prepared.train is not None
    agent = settings.agent
    check_policy(settings, prepared.model)
    check_model(agent, prepared.model)
    check_forward(agent, settings.cluster)
    limit = settings.questions.train_limit
    train = read_questions(prepared.train, limit if limit > 0 else None)
    check_algo(settings.algo, settings.cluster, len(train))
    tokenizer = tokenizer_of(prepared.model, "policy.path")
    if settings.policy.chat_template is not None:
        tokenizer.chat_template = settings.policy.chat_template
    if tokenizer.chat_template is None:
        raise InputError(f"policy.chat_template: the tokenizer of {prepared.model} has none; give one")
    check_prompts(agent, tokenizer, train, prepared.train)
    if prepared.validation is not None:
        limit = settings.questions.validation_limit
        validation = read_questions(prepared.validation, limit if limit > 0 else None)
        check_prompts(agent, tokenizer, validation, prepared.validation)
