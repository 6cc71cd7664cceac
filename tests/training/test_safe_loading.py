"""A checkpoint from somebody else: no code out of it is run, unless the user says that it may be."""

import contextlib
import inspect
import io
import os
import pickle
import random
from pathlib import Path

import numpy
import pytest
import torch

from reseek.errors import InputError
from reseek.training.safe_loading import check_checkpoint, load
from reseek.training.verl_plugin.patches import load_without_running_code
from tests.support.checkpoints import FSDP, write_shards

FILES = ("data.pt", *(f"actor/{part}_world_size_1_rank_0.pt" for part in ("model", "optim", "extra_state")))


@pytest.fixture
def step(tmp_path):
    """The checkpoint of a run, with what verl keeps in its files."""
    actor = tmp_path / "run" / "checkpoints" / "global_step_4" / "actor"
    actor.mkdir(parents=True)
    (model,) = write_shards(actor, {"weight": torch.ones(3, 2)}, (1,), FSDP)
    moments = {"step": torch.tensor(4.0), "exp_avg": load(model)["weight"]}
    torch.save({"state": {"weight": moments}, "param_groups": [{"lr": 1e-6, "betas": (0.9, 0.99)}]}, actor / NAMES[2])
    states = {"cpu": torch.get_rng_state(), "numpy": numpy.random.get_state(), "random": random.getstate()}
    torch.save({"lr_scheduler": {"last_epoch": 4, "_last_lr": [1e-6]}, "rng": states}, actor / NAMES[3])
    torch.save({"_snapshot": {"sampler": {"generator": torch.get_rng_state()}}, "n": 4}, actor.parent / "data.pt")
    return actor.parent


NAMES = [Path(name).name for name in FILES]


class Attack:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return eval, (f"__import__('pathlib').Path({str(self.mark)!r}).touch()",)


def run_of(step: Path) -> Path:
    return step.parents[1]


def test_what_verl_writes_is_loaded_whoever_wrote_it(step):
    step.chmod(0o777)
    if not os.getuid():
        os.chown(step / "data.pt", 12345, 12345)
    check_checkpoint(run_of(step), step)
    found = load(step / FILES[3])["rng"]
    assert found["random"] == random.getstate()
    assert (found["numpy"][1] == numpy.random.get_state()[1]).all()


@pytest.fixture(autouse=True)
def torchs_own_load(monkeypatch):
    """A test of verl's plugin, in the same process before, has changed it for good."""
    monkeypatch.setattr(torch, "load", inspect.unwrap(torch.load))


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("how", ["added", "as torch wrote before", "a bare pickle"])
def test_code_in_a_file_is_named_and_not_run(step, tmp_path, file, how):
    path, attack = step / file, Attack(tmp_path / "RAN")
    if how == "a bare pickle":
        path.write_bytes(pickle.dumps({"note": attack}))
    else:
        held = torch.load(path, weights_only=False)  # not `load`, which leaves the tensors in the file
        torch.save({**held, "note": attack}, path, _use_new_zipfile_serialization=how == "added")
    named = r"runs code that it names \(.*eval" if how == "added" else "cannot be read, is it whole"
    with pytest.raises(InputError, match=rf"{path.name}: .*{named}") as refused:
        check_checkpoint(run_of(step), step)
    assert "\n" not in str(refused.value) and not (tmp_path / "RAN").exists()
    with contextlib.suppress(RuntimeError):  # of what is no torch file, after it was unpickled
        torch.load(path, weights_only=False)
    assert (tmp_path / "RAN").exists()  # it would have


def test_a_function_of_the_stack_is_no_data_either(step, tmp_path):
    class Sly:
        def __reduce__(self):
            return torch.hub.load_state_dict_from_url, ("http://127.0.0.1:1/x",)

    torch.save({"x": Sly()}, step / "data.pt")
    with pytest.raises(InputError, match=r"data.pt: .*torch.hub.load_state_dict_from_url.*run.trust_checkpoint=true"):
        check_checkpoint(run_of(step), step)


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04", b"\x80\x04.", pickle.dumps([1])[:-1]])
def test_a_damaged_file_is_named(step, content):
    (step / "data.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"data.pt: cannot be read, is it whole"):
        check_checkpoint(run_of(step), step)


@pytest.fixture
def queue(step):
    """What TransferQueue keeps: pickles."""
    file = step / "transfer_queue" / "unit_0" / "storage.pkl"
    file.parent.mkdir(parents=True)
    file.write_bytes(pickle.dumps({}))
    for path in (file, *file.parents[: file.parents.index(run_of(step)) + 1]):
        path.chmod(0o755)
    return file


def test_a_pickle_that_is_this_users_alone_may_be_loaded(step, queue):
    check_checkpoint(run_of(step), step)
    run_of(step).parent.chmod(0o777)  # as /tmp is: above the run's folder nothing is asked
    check_checkpoint(run_of(step), step)


@pytest.mark.parametrize("up", range(6))
def test_a_pickle_that_others_could_have_written_is_refused(step, queue, up):
    path = (queue, *queue.parents)[up]
    for mode in (0o775, 0o757):
        path.chmod(mode)
        with pytest.raises(InputError, match=r"storage.pkl: is a pickle, and others can write .*trust_checkpoint=true"):
            check_checkpoint(run_of(step), step)
    path.chmod(0o755)
    if os.getuid():
        pytest.skip("needs root, for a file of another user")
    os.chown(path, 12345, 12345)
    with pytest.raises(InputError, match=r"storage.pkl: is a pickle, and .* belongs to user 12345"):
        check_checkpoint(run_of(step), step)


def test_verls_own_reading_runs_no_code(step, tmp_path, monkeypatch):
    """verl asks for weights_only=False; what the run's processes send each other is loaded as it was."""
    monkeypatch.setattr(torch, "load", torch.load)
    load_without_running_code()
    for file in FILES:
        torch.load(step / file, weights_only=False)
    attack = Attack(tmp_path / "RAN")
    torch.save(attack, tmp_path / "bad.pt")
    with (tmp_path / "bad.pt").open("rb") as opened:
        for given in (str(tmp_path / "bad.pt"), tmp_path / "bad.pt", opened):
            with pytest.raises(pickle.UnpicklingError):
                torch.load(given, weights_only=False)
    assert not (tmp_path / "RAN").exists()
    sent = io.BytesIO()
    torch.save(range(3), sent)
    sent.seek(0)
    assert torch.load(sent, weights_only=False) == range(3)
