"""The Ray actor in which verl's trainer runs: verl's own sequence, with our trainer registered first.

Follows verl.trainer.main_ppo.TaskRunnerV1.run of verl 0.9.1, which is a Ray actor class and cannot be subclassed.
"""

import ray
from omegaconf import OmegaConf


@ray.remote
class Runner:
    def run(self, plain_config: dict) -> None:
        """Train to the end. `plain_config` is what `sent_settings.sent` returns."""
        import transfer_queue as tq
        from verl.trainer.ppo.v1 import AgentLoopManagerTQ, get_trainer_cls
        from verl.utils.logging_utils import configure_verl_logging

        import reseek.training.verl_plugin.trainer  # noqa: F401  (registers reseek_sync)

        configure_verl_logging()
        config = OmegaConf.create(plain_config)
        config.transfer_queue.enable = True
        tq.init(config.transfer_queue)
        trainer = None
        succeeded = False
        try:
            trainer = get_trainer_cls(config.trainer.v1.trainer_mode)(config=config)
            trainer.init()
            manager = AgentLoopManagerTQ.create(
                config=config,
                llm_client=trainer.get_llm_client(),
                teacher_client=trainer.get_teacher_client(),
                reward_loop_worker_handles=trainer.get_reward_handles(),
            )
            trainer.fit(manager)
            succeeded = True
        finally:
            logger = getattr(trainer, "logger", None)
            if logger is not None:
                logger.finish(exit_code=0 if succeeded else 1)
            tq.close()
