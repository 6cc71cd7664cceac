"""Clients of HTTP services: replicas, circuit breaker, and language models behind OpenAI-compatible endpoints."""
