"""Scripted episodes: the policy's words, the environment's answers in bytes, and how a test runs them."""

from reseek.agent import prompts
from reseek.config.agent import AgentConfig, ContextPolicy, TurnUnit
from tests.support.episodes import Memory, Script, play

S = "<search>q</search>"
YES, NO = "<judge>Yes</judge>", "<judge>No</judge>"
A = "<answer>a</answer>"
JUNK = "hm."
DROP, STRICT, KEEP = ContextPolicy.DROP, ContextPolicy.STRICT, ContextPolicy.KEEP
ACTION = TurnUnit.ACTION


def agent(**values) -> AgentConfig:
    return AgentConfig(**{"prompt": "bare", "max_turns": 4, **values})


def env(text: str) -> tuple[int, ...]:
    return tuple(text.encode())


def block(*passages: str) -> tuple[int, ...]:
    """An observation as the environment says it: written out here, not asked of the code."""
    body = "\n".join(f'Doc {rank}(Title: "T{rank}") {text}' for rank, text in enumerate(passages, 1))
    return env(f"\n<information>{body or 'No passage was found.'}</information>\n")


START = (256, *b"user\nwho?", 257, *b"\n", 256, *b"assistant\n")
STUB, HINT, NOTICE = env(prompts.STUB), env(prompts.HINT), env(prompts.NOTICE)
WORLD = {"q": ["one"], "r": ["two", "three"]}


def run(*said: str, search: Memory | None = None, **config):
    policy = Script(*said)
    episode = play(policy, search or Memory(WORLD), agent(**config))
    assert len(policy.samples) == len(said), "the episode ended early"
    return episode, policy
