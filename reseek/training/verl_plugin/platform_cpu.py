"""A CPU platform for verl 0.9: what verl asks of an accelerator, answered by torch.cpu and the process's memory.

Selected with VERL_PLATFORM=cpu. Ray gets a *logical* GPU, because verl's resource pools count only "GPU" or
"NPU". Memory figures are the process's resident set, in bytes.
"""

import os
import resource
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from verl.plugin.platform import PlatformBase, PlatformRegistry


def _resident(_device: Any = None) -> int:
    return psutil.Process().memory_info().rss


def _peak_resident(_device: Any = None) -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    return None


def _free_and_total(_device: Any = None) -> tuple[int, int]:
    memory = psutil.virtual_memory()
    return memory.available, memory.total


class _CpuDevice(types.ModuleType):
    """torch.cpu, plus the parts of the torch.cuda namespace that verl calls."""

    is_available = staticmethod(lambda: True)
    device_count = staticmethod(lambda: 1)
    current_device = staticmethod(lambda: "cpu")
    get_device_name = staticmethod(lambda _device=None: "cpu")
    set_device = synchronize = empty_cache = ipc_collect = staticmethod(_nothing)
    reset_peak_memory_stats = set_per_process_memory_fraction = staticmethod(_nothing)
    memory_allocated = memory_reserved = staticmethod(_resident)
    max_memory_allocated = max_memory_reserved = staticmethod(_peak_resident)
    mem_get_info = staticmethod(_free_and_total)
    manual_seed = manual_seed_all = staticmethod(torch.manual_seed)
    get_rng_state = staticmethod(lambda _device=None: torch.get_rng_state())
    set_rng_state = staticmethod(lambda state, _device=None: torch.set_rng_state(state))

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.cpu, name)


_DEVICE = _CpuDevice("reseek.training.verl_plugin.platform_cpu.device")


class CpuPlatform(PlatformBase):
    """verl's platform interface on the CPU. Device ids are the string "cpu": verl uses them as `.to()` targets, and an
    integer would mean an accelerator to torch."""

    @property
    def device_name(self) -> str:
        return "cpu"

    @property
    def vendor_name(self) -> str:
        return "cpu"

    @property
    def device_module(self) -> types.ModuleType:
        return _DEVICE

    def is_available(self) -> bool:
        return True

    def current_device(self) -> str:  # type: ignore[override]  # a name: torch has no CPU numbers
        return "cpu"

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        return None

    def synchronize(self, device_index: int | None = None) -> None:
        return None

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        return None

    def empty_cache(self) -> None:
        return None

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None:
        return None

    def profiler_stop(self) -> None:
        return None

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False  # weights travel through shared memory instead

    def cudart(self) -> None:
        return None


def register() -> None:
    """Make `cpu` known to verl."""
    PlatformRegistry.register(platform="cpu")(CpuPlatform)
    # verl registers its FSDP engines for "cuda" and "npu" only; the code itself is device-agnostic, and this is
    # verl's own switch for choosing the engine (EngineRegistry.get_engine_cls).
    os.environ.setdefault("VERL_ENGINE_DEVICE", "cuda")
