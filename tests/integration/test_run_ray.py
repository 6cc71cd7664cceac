"""A run on a real Ray: SIGTERM or a full disk under its log leave no process, claim, temporary folder or memory."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from reseek.config.composition import register_config
from reseek.config.resolvers import CONF
from reseek.run.claim_file import FILE
from reseek.run.processes import processes_of
from tests.support.leftovers import left_behind, shared_memory
from tests.support.runs import ROOT

pytestmark = pytest.mark.integration

SCRIPT = """
import sys, time
import ray
from omegaconf import OmegaConf
from reseek.config.settings import EvalSettings, load_settings
from reseek.run.folder import Kind
from reseek.run.lifecycle import Run

def work(seconds):
    print("noise " * 1000)
    time.sleep(seconds)

settings = load_settings(OmegaConf.load(sys.argv[1]), EvalSettings)
with Run(settings, Kind.EVALUATION, log=sys.argv[2]) as run:
    run.claim()
    terminal = run.open_log().file
    run.start_ray()
    kept = ray.put(bytes(10_000_000))
    print(run.run_id, file=terminal, flush=True)
    print("noise")
    ray.get(ray.remote(num_cpus=0)(work).remote(float(sys.argv[3])))
"""


@pytest.mark.parametrize(("log", "seconds"), [("x.log", 100), ("/dev/full", 0.5)])
def test_what_ray_needs_is_gone_after_the_run(tmp_path, log, seconds):
    register_config()
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("eval", overrides=[f"run.dir={tmp_path / 'run'}", "cluster.ray_cpus=1"])
    OmegaConf.save(config, tmp_path / "given.yaml", resolve=True)
    temp = Path("/tmp") / f"t{os.getpid()}"  # a socket's path may have 107 characters
    temp.mkdir()
    before = shared_memory()
    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "given.yaml"), log, str(seconds)],
        env={**os.environ, "TMPDIR": str(temp)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert run.stdout.readline() == f"run folder {tmp_path / 'run'}\n"
        assert run.stdout.readline().startswith("log ")
        run_id = run.stdout.readline().strip()
        if seconds > 10:
            assert len(processes_of(run_id)) > 2
            run.send_signal(signal.SIGTERM)
        _, said = run.communicate(timeout=90)
        said += (tmp_path / "run" / "x.log").read_text() if seconds > 10 else ""
        assert run.returncode == (143 if seconds > 10 else 1), said
        assert processes_of(run_id) == [] and left_behind(before)[0] == set()
        assert not (tmp_path / "run" / FILE).exists() and list(temp.iterdir()) == []
    finally:
        run.kill()
        run.wait()
        temp.rmdir()
