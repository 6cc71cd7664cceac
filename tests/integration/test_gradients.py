"""Cutting an unedited trajectory into rows changes no gradient: our rows and advantages through verl's own losses."""

import random

import pytest
import torch
from hydra import compose, initialize_config_dir

from reseek.agent.context import NOT_TRAINED, Segment, Source, Trajectory, segments
from reseek.config.composition import register_config
from reseek.config.resolvers import CONF
from reseek.micro.model import make_model, make_tokenizer
from reseek.training.credit.estimators import ChainedGae, Estimator, Grpo, LeaveOneOut, SegmentRow, Session, StepCredit

pytestmark = pytest.mark.integration

PROMPT = 5


@pytest.fixture(scope="module")
def config():
    register_config()
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("train", overrides=["experiment=qwen2.5-7b-ppo", "cluster=cpu", "run.dir=unused"])


def trajectory(rng: random.Random, vocabulary: int) -> Trajectory:
    """Prompt, then calls and observations in turn."""

    def ids(count: int) -> list[int]:
        return [rng.randrange(5, vocabulary) for _ in range(count)]

    grown = Trajectory().append(Source.PROMPT, ids(PROMPT))
    for _ in range(3):
        count = rng.randint(2, 6)
        grown = grown.append(Source.POLICY, ids(count), [0.0] * count)
        grown = grown.append(Source.OBSERVATION, ids(rng.randint(1, 5)))
    return grown.append(Source.POLICY, ids(3), [0.0] * 3)


def cut(segment: Segment, at: int) -> list[Segment]:
    """The segment as two rows: what was sampled before position `at`, and the rest behind the whole history."""
    early = Segment(segment.ids[:at], segment.sampled[:at], None)
    late = Segment(segment.ids, (NOT_TRAINED,) * at + segment.sampled[at:], None)
    return [early, late]


def outputs(model, head, rows: list[Segment]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Per row, over its response: log-probabilities of its tokens and the critic's values before them."""
    logprobs, values = [], []
    for row in rows:
        ids = torch.tensor([row.ids])
        hidden = model.model(ids).last_hidden_state[0, PROMPT - 1 : -1]
        logits = model.lm_head(hidden).log_softmax(-1)
        logprobs.append(logits.gather(1, ids[0, PROMPT:, None])[:, 0])
        values.append(head(hidden)[:, 0])
    return logprobs, values


def gradients(config, estimator: Estimator, sessions: list[list[Segment]]) -> tuple[list, list]:
    """Gradients of the actor's and of the critic's loss over all rows of a group, computed as one mini-batch."""
    from verl.trainer.ppo.core_algos import compute_value_loss, get_policy_loss_fn
    from verl.utils.config import omega_conf_to_dataclass

    torch.manual_seed(0)
    model = make_model(0, len(make_tokenizer())).double().eval()
    head = torch.nn.Linear(model.config.hidden_size, 1).double()
    rows = [row for session in sessions for row in session]
    logprobs, values = outputs(model, head, rows)
    masks = [torch.tensor(row.mask[PROMPT:]) for row in rows]
    parts = iter(zip(masks, values, strict=True))
    group = []
    for number, session in enumerate(sessions):
        segment_rows = tuple(SegmentRow(m, (), v.detach()) for m, v in (next(parts) for _ in session))
        group.append(Session(float(number % 2), 0.1 * number, segment_rows))
    credited = estimator.credit(group)

    def padded(tensors) -> torch.Tensor:
        return torch.nn.utils.rnn.pad_sequence([t.double() for t in tensors], batch_first=True)

    mask = padded(masks).bool()
    advantages = padded(t for session in credited.advantages for t in session)
    returns = padded(t for session in credited.returns for t in session)
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    actor.global_batch_info.update(dp_size=1, batch_num_tokens=int(mask.sum()), global_batch_size=len(rows))
    new = padded(logprobs)
    policy_loss, _ = get_policy_loss_fn("vanilla")(
        old_log_prob=new.detach() - 0.05,
        log_prob=new,
        advantages=advantages,
        response_mask=mask,
        loss_agg_mode=actor.loss_agg_mode,
        config=actor,
        rollout_is_weights=None,
    )
    value_loss, _ = compute_value_loss(
        vpreds=padded(values),
        values=padded(values).detach() - 0.1,
        returns=returns,
        response_mask=mask,
        cliprange_value=config.critic.cliprange_value,
        loss_agg_mode=config.critic.loss_agg_mode,
        dp_size=1,
        batch_num_tokens=int(mask.sum()),
        global_batch_size=len(rows),
        loss_scale_factor=None,
    )
    parameters = list(model.parameters())
    return (
        list(torch.autograd.grad(policy_loss, parameters, retain_graph=True)),
        list(torch.autograd.grad(value_loss, [*parameters, *head.parameters()], allow_unused=True)),
    )


@pytest.mark.parametrize(
    "estimator", [Grpo(), LeaveOneOut(), StepCredit(), ChainedGae(0.99, 0.95)], ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize("seed", range(3))
def test_a_cut_changes_no_gradient(config, estimator, seed):
    rng = random.Random(seed)
    vocabulary = len(make_tokenizer())
    whole = [list(segments(trajectory(rng, vocabulary))) for _ in range(3)]
    assert [len(rows) for rows in whole] == [1, 1, 1]
    victim = whole[1][0]
    places = [at for at in range(PROMPT + 1, len(victim.ids)) if any(victim.mask[PROMPT:at]) and any(victim.mask[at:])]
    pieces = [whole[0], cut(victim, rng.choice(places)), whole[2]]
    for before, after in zip(gradients(config, estimator, whole), gradients(config, estimator, pieces), strict=True):
        assert any(g is not None and g.abs().max() > 1e-6 for g in before)
        for one, other in zip(before, after, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                assert torch.allclose(one, other, atol=1e-6, rtol=0)
