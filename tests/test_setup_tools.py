"""Set-up: the commands that each tool gets, and the lines that the user sees."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.setup import state, tools
from deploy.setup.console import SHOWN_LINES, Console, progress_text
from tests.support.interrupts import interruptible
from tests.support.setups import INDEX, PIP, TORCH, UV, install_by_hand, make_venv, setup_env, setup_of

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    return make_venv(tmp_path)


def test_torch_is_asked_for_where_pip_looks_first_then_at_the_index(venv: Path, capsys) -> None:
    made = setup_of(venv, False, False, False, True)
    made.install_torch()
    assert [command[:3] for command, _ in made.console.asked] == [["venv/bin/uv", "pip", "install"]] * 2 + [
        ["venv/bin/python", "-m", "pip"]
    ] * 2
    assert all(command[-1] == TORCH for command, _ in made.console.asked)
    at_index = [INDEX in command or INDEX in environment.values() for command, environment in made.console.asked]
    assert at_index == [False, True, False, True]
    assert f"{TORCH} from {INDEX}, by pip" in capsys.readouterr().out


def test_index_is_left_alone_when_torch_is_found(venv: Path, capsys) -> None:
    made = setup_of(venv, True)
    made.install_torch()
    assert len(made.console.asked) == 1
    assert f"{TORCH} from where pip looks by itself, by uv" in capsys.readouterr().out


def test_torch_nowhere_is_an_error(venv: Path) -> None:
    with pytest.raises(setup_env.SetupError, match="(?s)no such wheel.*TORCH_CPU_INDEX"):
        setup_of(venv, *[False] * 4).install_torch()


def test_what_is_installed_is_not_asked_for(venv: Path) -> None:
    packages = state.site_packages(venv)
    install_by_hand(packages, "torch-2.13.0+cpu.dist-info", None)
    lines = state.requirements_in((ROOT / setup_env.STACK_LOCK).read_text())
    for line in lines[1:]:
        install_by_hand(packages, line.replace("-", "_").replace("==", "-") + ".dist-info", None)
    made = setup_of(venv, True)
    made.install_torch()
    made.install_lock()
    [(command, _)] = made.console.asked
    assert [word for word in command if "==" in word] == lines[:1]
    install_by_hand(packages, f"{lines[0].replace('==', '-')}.dist-info", None)
    made.install_lock()
    assert len(made.console.asked) == 1
    # an interrupted upgrade: two versions of one distribution
    install_by_hand(packages, f"{lines[0].split('==')[0]}-0.0.1.dist-info", None)
    assert state.missing(lines, packages) == lines[:1]


def test_pip_does_what_uv_cannot_and_says_why(venv: Path, capsys) -> None:
    made = setup_of(venv, False, True, True)
    made.install_lock()
    made.install_project(".", "the project", "-e")
    programs = [command[0] for command, _ in made.console.asked]
    assert programs == ["venv/bin/uv", "venv/bin/python", "venv/bin/python"]  # uv is not asked again
    lines = capsys.readouterr().out.splitlines()
    assert "uv failed, pip is asked (error: no such wheel)" in lines[0] and "by pip" in lines[1]


def test_without_uv_pip_installs(venv: Path, capsys) -> None:
    made = setup_of(venv, False)
    made.find_installers()
    assert [tool.name for tool in made.installers] == ["pip"]
    [line] = capsys.readouterr().out.splitlines()
    assert made.console.asked[0][0][-1] == tools.UV and f"{tools.UV} cannot be had" in line and "no such wheel" in line


def test_nothing_resolves_dependencies(venv: Path) -> None:
    made = setup_of(venv, True, True, True, installers=(PIP,))
    made.install_lock()
    made.install_project(f"./{setup_env.VLLM_META}", "metadata")
    made.installers = [UV]
    made.install_project(".", "the project", "-e")
    commands = [command for command, _ in made.console.asked]
    assert all("--no-deps" in command for command in commands)
    assert [command[-1] for command in commands[1:]] == [f"./{setup_env.VLLM_META}", "."]
    assert all((ROOT / command[-1] / "pyproject.toml").is_file() for command in commands[1:])


def test_uv_looks_where_pip_looks() -> None:
    listing = """:env:.cert='/env.crt'
:env:.find-links='/a /b'
global.cert='/global.crt'
global.extra-index-url='https://one.example\\nhttps://two.example'
global.index-url='https://global.example'
install.index-url='https://install.example'
"""
    settings = tools.pip_settings(listing)
    assert tools.uv_environment(settings, {}) == {
        "SSL_CERT_FILE": "/env.crt",
        "UV_FIND_LINKS": "/a,/b",
        "UV_INDEX": "https://one.example https://two.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://install.example",
    }
    assert "UV_DEFAULT_INDEX" not in tools.uv_environment(settings, {"UV_DEFAULT_INDEX": "https://own.example"})
    assert tools.uv_environment(tools.pip_settings(""), {}) == {}


def test_the_reason_of_a_failure_is_one_line() -> None:
    assert tools.reason("Resolving\nerror: No solution found:\n  cause: Because there is no a==1\nhint") == (
        "cause: Because there is no a==1"
    )
    assert tools.reason("Looking\nERROR: No matching a==1\nNOTE: new pip\n") == "ERROR: No matching a==1"
    assert tools.reason("killed\n") == "killed" and tools.reason("") == "it said nothing"


def test_uv_is_pinned() -> None:
    assert re.fullmatch(r"uv==\d+\.\d+\.\d+", tools.UV)


def test_environment_of_another_python_is_refused(venv: Path) -> None:
    (venv / "bin/python").write_text("#!/bin/sh\necho 3 12\n")
    (venv / "bin/python").chmod(0o755)
    with pytest.raises(setup_env.SetupError, match=r"belongs to Python 3\.12"):
        setup_of(venv).ensure_venv()


def test_output_goes_to_the_log_and_its_end_is_shown_on_failure(venv: Path, capfd) -> None:
    console = Console(venv / "log")
    program = f"for i in range({SHOWN_LINES} + 5): print('line', i)\nraise SystemExit(3)"
    with pytest.raises(setup_env.SetupError) as error, console.phase("the packages"):
        assert not console.run([sys.executable, "-c", program], ROOT)
        raise setup_env.Setup(venv, INDEX, console).failed("the packages")
    assert "line 4\n" not in str(error.value) and f"line {SHOWN_LINES + 4}\n" in str(error.value)
    assert str(venv / "log") in str(error.value)
    assert capfd.readouterr() == ("", "")
    assert "line 0\n" in (venv / "log").read_text()


def test_progress() -> None:
    assert progress_text(0, 0, "", 7) == "7 s"
    assert progress_text(50, 200, "installed", 10) == "50 of 200 installed, 10 s, about 30 s left"
    downloads = tools.Installing(["a==1", "b==1"], Path("nowhere"))
    for line in ("Downloading a (100.4MiB)", "Downloading b (1.0GiB)", " Downloaded a"):
        assert downloads.line(line + "\n")
    assert downloads.share()[:2] == (100, 1124)
    modules = tools.Compiling(10)
    assert [modules.line(line) for line in ("Compiling 'a.py'...\n", "Listing 'b'...\n", "*** Error\n")] == [
        False,
        False,
        True,
    ]
    assert modules.share() == (1, 10, "modules")


WAITING = """
import sys, time
from pathlib import Path
from deploy.setup import __main__ as setup
setup.Setup.run = lambda self: self.console.run([sys.executable, "-c", sys.argv[2]], setup.ROOT)
sys.exit(setup.main(["--venv", sys.argv[1], "--torch-index", "x"]))
"""


def _start(venv: Path, tool: str) -> subprocess.Popen:
    """A set-up whose one phase is the program `tool`."""
    command = interruptible([sys.executable, "-c", WAITING, str(venv), f"from pathlib import Path\n{tool}"])
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _begin(venv: Path, tool: str) -> subprocess.Popen:
    """The same; returns when `tool` runs."""
    begun = _start(venv, f"Path({str(venv)!r}, 'began').touch()\n{tool}")
    deadline = time.monotonic() + 60
    while not (venv / "began").exists():
        assert time.monotonic() < deadline and begun.poll() is None, begun.communicate()
        time.sleep(0.02)
    return begun


def test_ctrl_c_is_one_line_and_ends_the_tool(venv: Path) -> None:
    begun = _begin(venv, "import time; time.sleep(60)")
    begun.send_signal(signal.SIGINT)
    output, errors = begun.communicate(timeout=30)
    assert begun.returncode == 130 and output == ""
    assert errors == "make setup: interrupted; it continues from here when it is run again\n"
    assert not (venv / setup_env.STAMP).exists()


def test_second_setup_waits_even_for_the_tool_of_a_killed_one(venv: Path) -> None:
    begun = _begin(venv, f"import time\nwhile not Path({str(venv)!r}, 'go').exists(): time.sleep(0.02)")
    begun.kill()
    begun.wait()
    second = _start(venv, f"Path({str(venv)!r}, 'second').touch()")
    assert second.stdout.readline() == f"setup: waiting for another setup of {venv.name} to end\n"
    assert not (venv / "second").exists()
    (venv / "go").touch()
    output, errors = second.communicate(timeout=60)
    assert second.returncode == 0 and (venv / "second").exists(), errors
    begun.communicate(timeout=60)
