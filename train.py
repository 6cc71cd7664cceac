"""Train a self-correcting search agent: compose the configuration, check it, train.

    python train.py                                   the CPU quick start (embedded world, embedded model)
    python train.py algo.steps=50 run.seed=1          any key can be overridden
    python train.py experiment=qwen2.5-3b-grpo ...    the paper's run on 8 GPUs
    python train.py stage=sft policy.warmup_steps=0   imitate episodes first (docs/sft.md)
    python train.py --help                            all groups and keys

Configuration: conf/train.yaml; what each key means: reseek/config/agent.py and reseek/config/.
"""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from reseek.config.composition import register_config
from reseek.config.settings import Stage, check_overrides, stage_of
from reseek.run.command import run_command, user_errors

register_config()


@hydra.main(config_path="conf", config_name="train", version_base=None)
def main(config: DictConfig) -> None:
    from reseek.training.launch import RunFailed

    try:
        with user_errors():
            stage = stage_of(config)
            check_overrides(stage, HydraConfig.get().overrides.task)
            folder = _trained(config, stage)
    except RunFailed as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)
    if config.run.check_only:
        print("all checks passed")
        return
    print(f"done: {folder}")
    if stage is Stage.SFT:
        model = folder / "model"
        print(f"model: {model}\nevaluate it: python eval.py policy=path policy.path={model}")
        print(f"train it on: python train.py policy=path policy.path={model}")
        return
    _say_checkpoints(folder)


def _trained(config: DictConfig, stage: Stage) -> Path:
    if stage is Stage.SFT:
        from reseek.sft.launch import train
    else:
        from reseek.training.launch import train
    return train(config)


def _say_checkpoints(folder: Path) -> None:
    from reseek.run.checkpoint_layout import newest_huggingface
    from reseek.training.checkpoints import read_best

    curve = folder / "curve.png"
    if curve.is_file():
        print(f"curve: {curve}")
    checkpoint = newest_huggingface(folder)
    if checkpoint is not None:
        print(f"checkpoint: {checkpoint}\nevaluate it: python eval.py policy=path policy.path={checkpoint}")
    best = read_best(folder)
    if best is not None:
        print(f"best by validation: step {best.step}, EM {best.em:.3f}: {folder / best.checkpoint}")


if __name__ == "__main__":
    run_command(main)
