"""The patched functions of verl against the originals: the same numbers."""

import importlib.util

import pytest
import torch

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def original():
    """verl's module of tensor functions as it is installed, beside the one that our plugin has patched."""
    import verl.utils.torch_functional as patched

    spec = importlib.util.spec_from_file_location("unpatched_torch_functional", patched.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.logprobs_from_logits_v2.__code__ != patched.logprobs_from_logits_v2.__code__
    return module


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 5), (64, 7), (200, 33), (3, 4, 9)])
def test_log_probabilities_and_their_gradients(original, dtype, shape):
    import verl.utils.torch_functional as patched

    generator = torch.Generator().manual_seed(0)
    logits = (5 * torch.randn(shape, generator=generator)).to(dtype)
    labels = torch.randint(shape[-1], shape[:-1], generator=generator)
    weights = torch.randn(shape[:-1], generator=generator).to(dtype)
    results = []
    for module in (original, patched):
        own = logits.clone().requires_grad_()
        logprobs = module.logprobs_from_logits_v2(own, labels)
        (logprobs * weights).sum().backward()
        results.append((logprobs.detach(), own.grad))
    for one, other in zip(*results, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        assert torch.allclose(one, other, atol=1e-6, rtol=1e-6)
