"""A part of a run that dies is named within seconds, whoever waits for it."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.support.runs import ROOT

pytestmark = pytest.mark.integration

# Prints what `Parts.dead` says after each blow.
SCRIPT = """
import os, signal, sys, time
import ray
from reseek.training.monitor.dead_parts import Parts

ray.init(num_cpus=1, include_dashboard=False, object_store_memory=100_000_000, _temp_dir=sys.argv[1])

@ray.remote(num_cpus=0)
class Worker:
    def pid(self):
        return os.getpid()

def said(parts, begin):
    started = time.monotonic()
    while not (parts.dead() or "").startswith(begin) and time.monotonic() - started < 20:
        time.sleep(0.2)
    return parts.dead()

parts = Parts.of_this_process()
ended, killed, named = Worker.remote(), Worker.remote(), Worker.options(name="named").remote()
pids = ray.get([worker.pid.remote() for worker in (ended, killed, named)])
ray.kill(ended)
del named
time.sleep(3)
print('said', parts.dead())
os.kill(pids[1], signal.SIGKILL)
print('said', pids[1], said(parts, 'the actor'))
raylet = parts.rays_own["raylet"].pid
os.kill(raylet, signal.SIGKILL)
time.sleep(0.1)  # until it has ended: Ray ends this process, too, soon after
print('said', raylet, said(parts, "Ray's"), flush=True)
os._exit(0)
"""


def test_an_actor_and_rays_own_processes(tmp_path):
    folder = f"/tmp/r{os.getpid()}"  # a socket's path may have 107 characters
    try:
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT, folder], capture_output=True, text=True, cwd=ROOT, timeout=180
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    lines = [line.removeprefix("said ") for line in run.stdout.splitlines() if line.startswith("said ")]
    assert lines[0] == "None", run.stdout + run.stderr
    pid, _, said = lines[1].partition(" ")
    assert said.startswith(f"the actor Worker (pid {pid}) died: killed, out of memory or crashed (Worker unexpectedly")
    pid, _, said = lines[2].partition(" ")
    assert said == f"Ray's raylet (pid {pid}) died"
