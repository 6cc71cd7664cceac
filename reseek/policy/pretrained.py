"""Pretrained models and tokenizers, of a folder or the hub: loaded by transformers, or refused in one line.

Invariant: no model is used of which a part is missing in its weights. transformers draws such a part at random, with a
warning: another one in each process.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from corpora.weight_files import check_weights
from reseek.errors import InputError

NO_LANGUAGE_MODEL = ("ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering", "ForMaskedLM")
_NAMED = 3
"""Missing weights that are named."""


@contextmanager
def loading(named: str, what: str = "can't be loaded") -> Iterator[None]:
    """Turns whatever a library raises for a model or tokenizer into an InputError. `named`: the key and its value."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a folder without a model can fail in any way
        raise InputError(f"{named}: {what}: {_cause(error, named)}") from error


def tokenizer_of(name: str, key: str) -> Any:
    """The tokenizer of a folder or of the hub; `key` is what the user named it with."""
    from transformers import AutoTokenizer  # seconds

    with loading(f"{key}={name}", "no tokenizer can be loaded"):
        return AutoTokenizer.from_pretrained(name)


def config_of(name: str, key: str) -> Any:
    """The configuration of a model, as transformers reads it."""
    from transformers import AutoConfig

    with loading(f"{key}={name}"):
        return AutoConfig.from_pretrained(name)


def language_model(name: str, key: str, dtype: str = "auto", **more: Any) -> Any:
    """A causal language model, all of whose weights were found."""
    import torch
    from transformers import AutoModelForCausalLM

    return complete_model(
        AutoModelForCausalLM, name, key, dtype=dtype if dtype == "auto" else getattr(torch, dtype), **more
    )


def complete_model(loader: Any, name: str, key: str, **more: Any) -> Any:
    """A model of transformers' class `loader`. Raises InputError where weights are damaged or missing (those that are
    tied to others are not); with `device_map="meta"` their names and shapes alone are read."""
    check_files(name, key)
    with loading(f"{key}={name}"), quiet():
        model, found = loader.from_pretrained(name, output_loading_info=True, **more)
    if missing := sorted({*found["missing_keys"], *(str(one) for one in found["mismatched_keys"])}):
        raise InputError(
            f"{key}={name}: as a {type(model).__name__} it would have random weights: {_listed(missing)} "
            f"{'are' if len(missing) > 1 else 'is'} not among its own{_kind(model.config)}"
        )
    return model


def check_language_model(name: str, key: str) -> None:
    """Raise InputError for what is no causal language model: a classifier, an encoder, a model without its head. A type
    that transformers knows as something else (one of images and text, say) is left to the engine."""
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    check_files(name, key)
    config = config_of(name, key)
    if wrong := [one for one in architectures(config) if one.endswith(NO_LANGUAGE_MODEL)]:
        raise InputError(f"{key}={name}: is a {wrong[0]}, not a causal language model")
    if type(config) in MODEL_FOR_CAUSAL_LM_MAPPING:
        complete_model(AutoModelForCausalLM, name, key, device_map="meta")


def check_files(name: str, key: str) -> None:
    """Raise InputError for a folder whose files are not whole. (Those of the hub are fetched whole.)"""
    if Path(name).is_dir():
        check_weights(Path(name), key)


def architectures(config: Any) -> Sequence[str]:
    """The classes that the weights were saved from, as far as the configuration names them."""
    named = getattr(config, "architectures", None)
    return [str(one) for one in named] if isinstance(named, list) else []


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' bars and its table of missing weights, which are an error here."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _kind(config: Any) -> str:
    named = architectures(config)
    return f" (they were saved from a {named[0]})" if named else ""


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _cause(error: Exception, named: str) -> str:
    from huggingface_hub import constants

    name = named.partition("=")[2]
    if constants.HF_HUB_OFFLINE and not os.path.exists(name) and isinstance(error, OSError):
        return "HF_HUB_OFFLINE=1 forbids asking the hub, and its cache has no such model; unset it, or name a folder"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kind = "" if isinstance(error, OSError | ValueError) and lines else f"{type(error).__name__}: "
    return f"{kind}{lines[0][:300] if lines else ''}"
