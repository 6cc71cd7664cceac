"""The conditions of an evaluation: all that its numbers depend on, with a hash, so that different ones never mix.

Invariant: two episodes with the same conditions hash and the same question differ only by chance (or, at temperature 0,
by float rounding). The numbers of questions, of concurrent episodes and of threads are no part of it.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from corpora.atomic import write_json
from corpora.manifest_file import read_object
from reseek.agent.methods import texts_of
from reseek.agent.protocol import DEFAULT, protocol
from reseek.config.agent import AgentConfig
from reseek.config.oracle import OracleConfig
from reseek.config.policy import EndpointSettings
from reseek.config.rewards import RewardConfig
from reseek.config.settings import EvalSettings
from reseek.errors import InputError
from reseek.policy.backends import backend_name, deals_in_text
from reseek.policy.fingerprint import model_fingerprint
from reseek.preparation.prepare import Prepared
from reseek.services.openai_address import address

FILE = "conditions.json"
_LATER_KEYS = (("rewards", "terms"), ("oracle", "options"), ("agent", "context_options"), ("agent", "method_options"))


class Conditions(BaseModel):
    """`weights` and `corpus` are fingerprints; `weights` is None for a model named by its hub id or behind an
    endpoint, what is known of the corpus for services that can't tell (then `corpus` is their addresses). `endpoint`
    says who is asked and how, where one is; `protocol` is the hash of the texts, None for ours."""

    model_config = ConfigDict(frozen=True)

    policy: str
    weights: str | None
    chat_template: str | None
    dtype: str
    engine: str
    engine_options: dict[str, Any] | None = None
    endpoint: str | None = None
    temperature: float
    seed: int
    retriever: str
    noise: float
    k1: float | None
    b: float | None
    encoder: str | None
    corpus: str
    passages: int | None
    protocol: str | None = None
    retriever_options: dict[str, Any] | None = None
    agent: AgentConfig
    oracle: OracleConfig
    rewards: RewardConfig

    @property
    def written(self) -> dict[str, Any]:
        """The plain values, without keys that later versions added and that are not set: results of earlier versions
        keep their hash."""
        return _without_unset(self.model_dump(mode="json"))

    @property
    def hash(self) -> str:
        return hashlib.sha256(json.dumps(self.written, sort_keys=True).encode()).hexdigest()[:16]


def conditions_of(settings: EvalSettings, prepared: Prepared) -> Conditions:
    """The conditions of an evaluation. A service that reports its corpus counts as the retriever that it runs."""
    evaluation, model, searched = settings.evaluation, prepared.model, prepared.searched
    endpoint, text = settings.policy.endpoint, deals_in_text(settings)
    texts = texts_of(settings.agent)
    return Conditions(
        policy=model,
        weights=None if endpoint else model_fingerprint(Path(model)),
        chat_template=settings.policy.chat_template,
        dtype="unknown" if text else settings.policy.dtype,
        engine=backend_name(settings),
        engine_options=evaluation.engine_options or None,
        endpoint=who_is_asked(endpoint) if endpoint else None,
        temperature=evaluation.temperature,
        seed=settings.run.seed,
        retriever=searched.retriever.value if searched else settings.search.name,
        noise=settings.search.noise,
        k1=searched.k1 if searched else None,
        b=searched.b if searched else None,
        encoder=searched.encoder["sha256"] if searched and searched.encoder else None,
        corpus=searched.fingerprint if searched else prepared.passages or " ".join(settings.search.urls),
        passages=searched.passages if searched else None,
        protocol=None if settings.agent.protocol == DEFAULT and texts == protocol() else texts.hash,
        retriever_options=settings.search.options or None,
        agent=settings.agent,
        oracle=settings.oracle.labelling,
        rewards=settings.rewards,
    )


def who_is_asked(endpoint: EndpointSettings) -> str:
    """The address that is really asked (`None` is the official one), and how; the tokenizer where one is named."""
    exact = f" {endpoint.tokenizer}" if endpoint.tokenizer else ""
    return f"{address(endpoint.base_url)} {endpoint.api.value} {endpoint.continuation.value}{exact}"


def check_folder(folder: Path, conditions: Conditions) -> None:
    """Raises InputError, naming the first differing key, where the folder holds results of other conditions."""
    path = folder / FILE
    wanted = conditions.written
    if not path.is_file():
        return
    found = read_object(path)
    flat_found, flat_wanted = _flat(_without_unset(found)), _flat(wanted)
    for key in sorted(flat_found.keys() | flat_wanted.keys()):
        if flat_found.get(key) != flat_wanted.get(key):
            raise InputError(
                f"run.dir={folder}: holds results of other conditions ({key} was {flat_found.get(key)!r}, is now "
                f"{flat_wanted.get(key)!r}); name another folder"
            )


def write_conditions(folder: Path, conditions: Conditions) -> None:
    write_json(folder / FILE, conditions.written)


def _without_unset(values: dict[str, Any]) -> dict[str, Any]:
    groups = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for group, key in _LATER_KEYS:
        if isinstance(groups.get(group), dict) and not groups[group].get(key):
            groups[group].pop(key, None)
    if isinstance(groups.get("agent"), dict):
        groups["agent"].pop("protocol", None)  # its texts count, not their file: `protocol`
    for key in ("protocol", "retriever_options", "engine_options"):
        if groups.get(key) is None:
            groups.pop(key, None)
    return groups


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
