"""Planting a copying circuit into a freshly initialised Llama.

A model that answers from passages must copy names it has never seen. Small transformers discover copying late (a
"previous token" head and an "induction" head must form together: hundreds of steps in which nothing else is learnt), so
both are written into the random weights: in layer 0 one head attends to the token before and stores which one it was;
in layer 1 two heads attend to where the present token was the one before, and add what stands there to the output.
Training then refines an imperfect copier instead of discovering copying.

Invariant: only initial values change, not the architecture: any engine runs the model as a plain Llama.
"""

import torch
from transformers import LlamaForCausalLM

EMBEDDING_STD = 0.1
CONSTANT = 0.5  # residual dimension 0 holds this for every token: what position-only attention reads
PREVIOUS_SHARPNESS = 15.0
MATCH_SHARPNESS = 4.0
STORED, COPIED = 0.6, 6.0  # how loud the stored previous token and the copied one are beside the embedding
QUIET = 0.3  # the other random outputs, so that they don't drown the circuit
FAST_PAIRS = 4  # rotary pairs that turn fast enough to tell neighbours apart
FIRST_SLOW_PAIR = 6  # from here on rotary pairs hardly turn over a few hundred positions (theta 1e6, head size 32)
ROPE_THETA = 1e6


@torch.no_grad()
def plant_induction(model: LlamaForCausalLM) -> None:
    """Write the circuit into the first two layers, in place. Draws from torch's global generator.

    Needs at least two layers and three heads of size 32 at ROPE_THETA, and a hidden size of at least 128.
    """
    hidden, heads = model.config.hidden_size, model.config.num_attention_heads
    size = hidden // heads
    half = size // 2
    # Orthonormal directions beside dimension 0: where layer 0 stores, what it reads, what layer 1 copies.
    basis_DH = torch.zeros(hidden - 1, hidden)
    basis_DH[:, 1:] = torch.linalg.qr(torch.randn(hidden - 1, hidden - 1))[0]
    store_KH, read_KH, other_KH = basis_DH[:size], basis_DH[size : 2 * size], basis_DH[2 * size : 3 * size]

    embed_VH = model.model.embed_tokens.weight
    embed_VH.normal_(0, EMBEDDING_STD)
    embed_VH[:, 0] = CONSTANT
    embed_VH -= (embed_VH @ store_KH.T) @ store_KH
    # Equal norms: otherwise the norm's division makes some tokens louder to a head that should see position alone.
    length = EMBEDDING_STD * (hidden - 1 - size) ** 0.5
    embed_VH[:, 1:] *= length / embed_VH[:, 1:].norm(dim=1, keepdim=True)
    rms = ((CONSTANT**2 + length**2) / hidden) ** 0.5

    for layer in model.model.layers:
        layer.self_attn.o_proj.weight *= QUIET
        layer.mlp.down_proj.weight *= QUIET

    # Layer 0, head 0: constant query and key whose rotary phases agree at distance 1.
    first = model.model.layers[0].self_attn
    turn_P = ROPE_THETA ** (-torch.arange(half) / half)
    loudness = PREVIOUS_SHARPNESS**0.5 * size**0.25 * rms / CONSTANT
    first.q_proj.weight[:size] = 0
    first.k_proj.weight[:size] = 0
    first.q_proj.weight[:FAST_PAIRS, 0] = loudness
    first.k_proj.weight[:half, 0] = loudness * turn_P.cos()
    first.k_proj.weight[half:size, 0] = loudness * turn_P.sin()
    first.v_proj.weight[:size] = read_KH
    first.o_proj.weight[:, :size] = store_KH.T * STORED * rms

    # Layer 1, heads 0 and 1: the query is the present token's code, the key the stored one, on slow pairs only.
    second = model.model.layers[1].self_attn
    slow = [i for i in range(size) if i % half >= FIRST_SLOW_PAIR]
    for head, (begin, copy_KH) in enumerate(((0, read_KH), (size - len(slow), other_KH))):
        rows = slice(head * size, (head + 1) * size)
        for weight, code_KH in ((second.q_proj.weight, read_KH), (second.k_proj.weight, store_KH)):
            weight[rows] = 0
            weight[[head * size + i for i in slow]] = code_KH[begin : begin + len(slow)] * MATCH_SHARPNESS
        second.v_proj.weight[rows] = copy_KH
        second.o_proj.weight[:, rows] = copy_KH.T * COPIED * rms
