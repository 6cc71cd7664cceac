"""The look at a policy before it is trained: does any of its calls hold a legal action?

A policy that never speaks the agent's language earns nothing and learns nothing; hours later that is an expensive
discovery. Pure.
"""

from collections.abc import Sequence

from reseek.rollout.stats import EpisodeStats

EPISODES = 16


class PreflightFailed(Exception):
    """The policy can't be trained as it is. The message is one line with advice."""


def complaint(stats: Sequence[EpisodeStats], said: str) -> str | None:
    """What is wrong with a policy that played these episodes, as one line with advice; None where some call was legal.
    `said` is what the policy sampled in the first of them."""
    if not stats:
        return "preflight: every episode failed in its search or its scoring; the errors stand in train.log"
    if any(one.legal_calls for one in stats):
        return None
    calls = sum(one.calls for one in stats)
    return (
        f"preflight: none of the {calls} calls of {len(stats)} episodes holds a legal action; the first says "
        f"{said[:120]!r}. Warm the policy up on demonstrations, check policy.chat_template and agent.prompt, raise "
        "agent.call_tokens, or continue all the same with run.preflight=warn"
    )
