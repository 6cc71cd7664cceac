"""The real engine, vLLM in this process, made to sample a given number of tokens.

Invariant: calls go the product's way (`reseek.policy.vllm`): its queue, its thread, its stop strings and
log-probabilities; except that nothing sampled ends a call early. Sampling is greedy, the cheapest method, so that
the episodes' own cost has the largest share.
"""

from benchmarks.rollout.workload import Call
from reseek.agent.grammar import STOP
from reseek.policy import Sample
from reseek.policy.vllm import VllmPolicy

# As many and as long as the real stop strings, so that searching for them costs the same; never sampled.
_NEVER_SAID = tuple(text.replace("<", "\0").replace(">", "\0") for text in STOP)


class ExactEngine:
    """An `Engine` on a policy that greedily samples, whose engine it looks into."""

    def __init__(self, policy: VllmPolicy) -> None:
        self._policy, self._engine = policy, policy._engine
        add_request = self._engine.add_request

        def add_unending(name, prompt, parameters):
            parameters.ignore_eos = True
            return add_request(name, prompt, parameters)

        self._engine.add_request = add_unending

    async def sample(self, call: Call) -> Sample:
        return await self._policy.sample(call.context, stop=_NEVER_SAID, max_tokens=call.tokens)

    def forget(self) -> None:
        """Empty the prefix cache, so that a run gains nothing from the one before it. Only while nothing runs."""
        if not self._engine.reset_prefix_cache():
            raise RuntimeError("vLLM did not empty its prefix cache: is a call still running?")

    @property
    def prefix_caching(self) -> str:
        """Whether it is on, and how coarse it is."""
        cache = self._engine.vllm_config.cache_config
        return f"on, whole blocks of {cache.block_size} tokens" if cache.enable_prefix_caching else "off"
