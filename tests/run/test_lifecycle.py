"""The life of a run: a refused command changes nothing, and each step of the clean-up is done."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from reseek.config.composition import register_config
from reseek.config.resolvers import CONF
from reseek.config.settings import EvalSettings, load_settings
from reseek.errors import InputError
from reseek.run import processes
from reseek.run.claim_file import FILE
from reseek.run.folder import Kind, kind_of
from reseek.run.lifecycle import Run
from tests.support.claims import alive_claim, bystander, dead_claim, write_claim

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(tmp_path):
    register_config()
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("eval", overrides=[f"run.dir={tmp_path / 'run'}"])


@pytest.fixture
def opened(config, tmp_path, monkeypatch):
    """Makes runs in the test's own temporary directory; takes back their environment variables."""
    for name, value in dict(os.environ).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    before = set(os.environ)
    yield lambda kind=Kind.EVALUATION, **more: Run(load_settings(config, EvalSettings), kind, log="x.log", **more)
    for name in set(os.environ) - before:
        del os.environ[name]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_writes_what_it_is_and_leaves_nothing_else(opened, config, tmp_path, capfd):
    with opened() as run:
        run.check_free()
        assert not run.folder.exists()
        run.claim()
        run.record(config)
        console = run.open_log()
        os.write(1, b"noise\n")
        console.print("shown")
        os.write(2, b"more noise\n")
        run.write_card({"a": 1})
        assert (run.folder / FILE).is_file() and len(list((tmp_path / "temp").iterdir())) == 1
        assert os.environ[processes.RUN_VARIABLE] == run.run_id
    assert set(contents(run.folder)) == {"config.yaml", "protocol.yaml", "versions.json", "x.log", "result.json"}
    assert (run.folder / "x.log").read_text() == "noise\nmore noise\n"
    said = capfd.readouterr()
    assert f"run folder {run.folder}\nlog {run.log}\nshown\n" == said.out and said.err == ""
    assert list((tmp_path / "temp").iterdir()) == [] and kind_of(run.folder) is Kind.EVALUATION


def test_a_refused_run_leaves_no_trace(opened, tmp_path):
    with pytest.raises(InputError, match="no"), opened() as run:
        run.claim()
        raise InputError("no")
    assert not (tmp_path / "run").exists() and list((tmp_path / "temp").iterdir()) == []


@pytest.mark.parametrize(
    ("held", "problem"),
    [
        ("stage: rl\n", r"holds a training run \(stage=rl\); name another folder"),
        ("stage: sft\n", r"holds an SFT run \(stage=sft\); name another folder"),
    ],
)
def test_the_folder_of_another_command_is_refused_and_stays_as_it_is(opened, tmp_path, held, problem):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(held)
    before = contents(tmp_path / "run")
    for refuse in (Run.check_free, Run.claim):
        with pytest.raises(InputError, match=problem), opened() as run:
            refuse(run)
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "stage: ???", "stage: ${x}", "run: {name: x}", "\x00"])
def test_a_folder_that_does_not_say_what_it_holds(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    assert kind_of(tmp_path) is None


def test_every_step_of_the_clean_up_is_done(opened, tmp_path, capfd):
    done = []

    def fails(error: Exception):
        def end() -> None:
            done.append(type(error).__name__)
            raise error

        return end

    with pytest.raises(RuntimeError, match="of the run"), opened() as run:
        run.claim()
        run.open_log()
        run.at_end("stop one", fails(OSError(28, "No space left on device")))
        run.at_end("stop another", fails(ValueError("x\ny")))
        run.at_end("stop the third", lambda: done.append("third"))
        raise RuntimeError("of the run")
    assert done == ["third", "ValueError", "OSError"]
    assert not (tmp_path / "run" / FILE).exists() and list((tmp_path / "temp").iterdir()) == []
    assert capfd.readouterr().err.splitlines() == [
        "warning: clean-up: could not stop another (ValueError: x y)",
        "warning: clean-up: could not stop one (OSError: [Errno 28] No space left on device)",
    ]


def test_a_full_disk_under_the_log_does_not_keep_the_run_from_cleaning_up(opened, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with opened() as run:
        run.claim()
        run.log = Path("/dev/full")
        run.open_log()
        with pytest.raises(OSError, match="No space"):
            os.write(1, b"lost")
        sys.stdout.write("lost too")
    assert not (tmp_path / "run" / FILE).exists() and list((tmp_path / "temp").iterdir()) == []
    os.write(1, b"the terminal is back")


def test_what_a_full_log_has_no_room_for_does_not_appear_on_the_terminal():
    script = """
from pathlib import Path
from reseek.run.terminal import output_to
with output_to(Path("/dev/full"), verbose=False):
    print("lost " * 10)
print("back")
"""
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=buffered)
    assert (run.stdout, run.stderr) == ("back\n", "")


def test_a_run_ends_its_processes_and_no_others(opened, monkeypatch):
    monkeypatch.setattr(processes, "_GRACE_SECONDS", 0.3)
    with bystander("another") as other:
        with opened() as run:
            run.claim()
            worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
        assert worker.wait(10) is not None and other.poll() is None


def test_a_part_of_a_run_has_a_claim_of_its_own_and_leaves_the_processes_to_the_whole(opened, config, tmp_path):
    with opened(kind=None) as whole:
        whole.claim()
        config.run.dir = str(tmp_path / "run" / "part")
        worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
        with opened(within=whole) as part:
            part.claim()
            assert part.run_id == whole.run_id and (part.folder / FILE).is_file()
            with pytest.raises(InputError, match="is writing there"):
                part.check_free()
        assert worker.poll() is None and (whole.folder / FILE).is_file()
        worker.kill()
        worker.wait()


def test_the_folder_of_an_elsewhere_run_is_taken_over_by_its_key(opened, config, tmp_path):
    held = dead_claim()
    write_claim(tmp_path / "run", held.model_copy(update={"machine": held.machine.model_copy(update={"host": "x"})}))
    with pytest.raises(InputError, match="run.take_over=true"), opened() as run:
        run.claim()
    config.run.take_over = True
    with opened() as run:
        run.check_free()
        run.claim()
    assert not (tmp_path / "run" / FILE).exists()


def test_a_run_that_lost_its_folder_ends_as_if_terminated(opened, tmp_path, monkeypatch, capfd):
    from reseek.run import claim

    monkeypatch.setattr(claim, "HEARTBEAT_S", 0.02)
    with pytest.raises(SystemExit) as ended, opened() as run:
        run.claim()
        write_claim(run.folder, alive_claim(run_id="other"))
        time.sleep(10)
    assert ended.value.code == 143 and "another run has taken the folder over" in capfd.readouterr().err
    assert (tmp_path / "run" / FILE).is_file()  # the other's


SCRIPT = """
import sys, time
from omegaconf import OmegaConf
from reseek.config.settings import EvalSettings, load_settings
from reseek.run.folder import Kind
from reseek.run.lifecycle import Run
config = OmegaConf.load(sys.argv[1])
with Run(load_settings(config, EvalSettings), Kind.EVALUATION, log="x.log") as run:
    run.claim()
    run.record(config)
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_that_cleans_up(config, tmp_path, number):
    OmegaConf.save(config, tmp_path / "given.yaml", resolve=True)
    (tmp_path / "temp").mkdir()
    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "given.yaml")],
        env={**os.environ, "TMPDIR": str(tmp_path / "temp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # ignored in background jobs
    )
    assert run.stdout.readline() == "up\n"
    run.send_signal(number)
    assert run.wait(30) not in (0, None)
    run.stdout.close()
    assert sorted(contents(tmp_path / "run")) == ["config.yaml", "protocol.yaml", "versions.json"]
    assert list((tmp_path / "temp").iterdir()) == []


def test_a_folder_with_a_link_out_is_refused_and_its_target_stays_as_it_is(opened, config, tmp_path):
    folder, victim = tmp_path / "run", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("precious\n")
    (folder / "x.log").symlink_to(victim)
    for refuse in (Run.check_free, Run.claim):
        with pytest.raises(InputError, match="x.log is a link"), opened() as run:
            refuse(run)
    assert victim.read_text() == "precious\n" and [path.name for path in folder.iterdir()] == ["x.log"]
    config.run.follow_links = True
    with opened() as run:
        run.check_free()
        run.claim()
        run.record(config)
        run.open_log()
        os.write(1, b"noise\n")
    assert victim.read_text() == "precious\nnoise\n"
