"""Shared fixtures: the platform, and one cache of worlds, indexes and models for a whole test session."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from reseek.run.variables import QUIET_THREADS
from tests.support.leftovers import WORKER

# A busy machine is no failure: property tests have no deadline per example, and may be slow to draw one.
settings.register_profile("reseek", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("reseek")

# verl settles on a platform when it is first imported, whichever test does that.
os.environ.setdefault("VERL_PLATFORM", "cpu")
# OpenMP reads them when torch is first imported; the commands that tests start inherit them.
for _name, _value in QUIET_THREADS.items():
    os.environ.setdefault(_name, _value)


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory) -> Path:
    """A cache folder (RESEEK_CACHE) for the commands that integration tests start; pytest-xdist's workers share it."""
    of_session = tmp_path_factory.getbasetemp()
    if WORKER in os.environ:
        of_session = of_session.parent
    cache = of_session / "shared-cache"
    cache.mkdir(exist_ok=True)
    return cache


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker (`-n auto`) more than there are cores: some tests wait for a timeout of a stand-in service."""
    return len(os.sched_getaffinity(0)) + 1


class OneLaunchEach(LoadFileScheduling):
    """The order of work of `--dist loadfile`: a file is one worker's, and the files that read the shared launches of
    tests/integration/conftest.py are the same one's, so that each launch is made once. (The groups of pytest-xdist 3.8
    do not work with pytest 9.)"""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "launches" if file.endswith(("test_exactness.py", "test_training.py")) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log):
    return OneLaunchEach(config, log) if config.getvalue("dist") == "loadfile" else None
