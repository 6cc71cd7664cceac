"""A language model that answers in JSON, asked through a cache.

Invariant: no request is sent whose answer the cache holds; a failure of the endpoint is raised after its retries and
never becomes an answer.
"""

import asyncio
from typing import Any

from openai import APIConnectionError, APIStatusError, InternalServerError, RateLimitError
from pydantic import BaseModel, Field

from reseek.errors import InputError
from reseek.frozen import Record
from reseek.services.llm_cache import Answer, AnswerCache
from reseek.services.openai_endpoint import OpenAiEndpoint, Patience

_TRANSIENT = (APIConnectionError, RateLimitError, InternalServerError)  # a timeout is a connection error


class LlmConfig(Record):
    """The endpoint and the model."""

    model: str
    base_url: str | None = None
    """None: the official one. A local vLLM server: http://localhost:8000/v1."""
    temperature: float = Field(default=0.7, ge=0)
    max_tokens: int = Field(default=3000, ge=1)
    """Of one answer. A longer one is cut off and rejected as truncated."""
    requests_per_minute: float = Field(default=300.0, gt=0)
    concurrency: int = Field(default=8, ge=1)
    attempts: int = Field(default=6, ge=1)
    """Attempts per request before the build ends (it can be resumed)."""
    longest_wait_s: float = Field(default=60.0, ge=0)
    timeout_s: float = Field(default=120.0, gt=0)
    price_in: float = Field(default=0.0, ge=0)
    """Per million prompt tokens, in whatever currency."""
    price_out: float = Field(default=0.0, ge=0)
    """Per million completion tokens."""

    def identity(self) -> str:
        """What of it changes an answer."""
        return f"openai {self.model} temperature={self.temperature} max_tokens={self.max_tokens}"

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        return (prompt_tokens * self.price_in + completion_tokens * self.price_out) / 1e6


class LlmClient:
    """One model behind one endpoint, asked through the cache."""

    def __init__(self, config: LlmConfig, cache: AnswerCache) -> None:
        self.config, self.cache = config, cache
        patience = Patience(
            attempts=config.attempts,
            first_wait_s=0.5,
            longest_wait_s=config.longest_wait_s,
            timeout_s=config.timeout_s,
            requests_per_minute=config.requests_per_minute,
            transient=_TRANSIENT,
        )
        self._endpoint = OpenAiEndpoint(config.base_url, patience, key="with --base-url")
        self._places = asyncio.Semaphore(config.concurrency)

    async def ask(self, messages: list[dict[str, str]], form: type[BaseModel]) -> Answer:
        """The model's answer in the JSON form of a pydantic model. Raises InputError where the endpoint refuses the
        request or fails after all attempts."""
        request = {
            "model": self.config.model,
            "messages": messages,
            "temperature": self.config.temperature,
            "max_tokens": self.config.max_tokens,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": form.__name__, "schema": form.model_json_schema(), "strict": True},
            },
        }
        key = AnswerCache.key(request)
        known = self.cache.get(key)
        if known is not None:
            return known
        async with self._places:
            answer = await self._sent(request)
        self.cache.put(key, answer)
        return answer

    async def close(self) -> None:
        await self._endpoint.close()

    async def _sent(self, request: dict[str, Any]) -> Answer:
        try:
            reply = await self._endpoint.ask(lambda: self._endpoint.client.chat.completions.create(**request))
        except (APIConnectionError, APIStatusError) as error:
            raise InputError(
                f"{self.config.base_url or 'the endpoint'}: {type(error).__name__}: {str(error).splitlines()[0][:200]};"
                " what was answered is kept: start the build again"
            ) from None
        choice, usage = reply.choices[0], reply.usage
        return Answer(
            text=choice.message.content or "",
            finish=choice.finish_reason or "",
            refusal=choice.message.refusal or "",
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
        )
