"""The project's files agree with each other: licence, citation, changelog, issue forms, workflows, hooks, the site."""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
# The text at https://www.apache.org/licenses/LICENSE-2.0.txt, byte for byte.
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.y*ml") if path.stem != "config")
SITE = ROOT / "mkdocs.yml"
PAGES = sorted((ROOT / "docs").rglob("*.md"))


class _AnyTag(yaml.SafeLoader):
    """A safe loader that reads a value under an unknown tag (mkdocs has some) as null."""


_AnyTag.add_multi_constructor("", lambda _loader, _suffix, _node: None)


def read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_AnyTag)


def version() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", makefile, re.MULTILINE))


def made_by(command: str) -> set[str]:
    """The targets that a shell script gives to `make`."""
    calls = re.findall(r"(?:^|[;&|]\s*|\s)make((?:[ \t]+[^\s;&|]+)*)", command, re.MULTILINE)
    return {word for call in calls for word in call.split() if "=" not in word and not word.startswith("-")}


def pages_of(nav: Any) -> Iterator[str]:
    """The pages that a nav names, at any depth."""
    if isinstance(nav, str):
        yield nav
    else:
        for inner in nav.values() if isinstance(nav, dict) else nav:
            yield from pages_of(inner)


def test_the_licence_is_apache_2():
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2


def test_the_citation_names_what_a_citation_needs_and_this_version():
    citation = read(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == "ReSeek" and citation["message"]
    assert [author["name"] for author in citation["authors"]] == ["ReSeek contributors"]
    assert citation["license"] == "Apache-2.0"
    assert citation["version"] == version()
    (paper,) = citation["references"]
    assert paper["doi"] == "10.48550/arXiv.2510.00568" and paper["title"] and paper["authors"]


def test_the_changelog_has_this_version_with_a_date_and_the_tables_of_what_was_renamed():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(version())} - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", changelog, re.MULTILINE)
    assert {"Unreleased", "Renamed commands", "Renamed keys", "Moved modules"} <= set(headings)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_make_targets_that_exist_on_pinned_actions(path):
    workflow = read(path)
    assert workflow[True]  # `on`, which YAML 1.1 reads as a truth value
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(job["timeout-minutes"] <= 90 for job in workflow["jobs"].values())
    made = set().union(*(made_by(step["run"]) for step in steps if "run" in step))
    assert made, "a workflow that runs no make target sets nothing up"
    assert made <= make_targets()
    for step in steps:
        assert ("run" in step) != ("uses" in step), step
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@v\d+", step.get("uses", "any/action@v1")), step["uses"]


def test_the_workflows_run_the_tests_the_linter_the_wheel_and_the_docs():
    assert {"tests", "lint", "wheel", "docs"} <= {read(path)["name"] for path in WORKFLOWS}


def test_made_by_reads_targets_out_of_a_script():
    script = "make setup PYTHON=python3.11 && make -k lint test\nmake demo; cmake x\nremake y"
    assert made_by(script) == {"setup", "lint", "test", "demo"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_asks_each_thing_once(path):
    form = read(path)
    assert form["name"] and form["description"]
    asked = [item for item in form["body"] if item["type"] != "markdown"]
    ids = [item["id"] for item in asked]
    assert asked and len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[\w-]+", name) for name in ids)
    assert {item["type"] for item in asked} <= {"textarea", "input", "dropdown", "checkboxes"}
    assert all(item["attributes"]["label"] for item in asked)


def test_a_bug_report_asks_for_what_a_run_leaves_behind():
    text = (ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yaml").read_text(encoding="utf-8")
    for needed in ("config.yaml", "versions.json", "train.log", "eval.log", "reseek doctor"):
        assert needed in text


def test_each_local_hook_runs_a_program_of_the_project():
    hooks = [hook for repo in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert {"ruff", "mypy", "import-linter"} <= {hook["id"] for hook in hooks}
    assert all(hook["language"] == "system" for hook in hooks)
    assert all(hook["entry"].startswith((".venv/bin/", "git ")) for hook in hooks)


def test_the_site_shows_every_page_once_and_none_that_is_missing():
    named = list(pages_of(read(SITE)["nav"]))
    assert len(set(named)) == len(named)
    assert set(named) == {page.relative_to(ROOT / "docs").as_posix() for page in PAGES}


def test_the_site_loads_nothing_from_elsewhere_and_warns_of_broken_links():
    site = read(SITE)
    assert site["theme"]["font"] is False
    assert not site.get("extra_javascript") and not site.get("extra_css")
    assert set(site["validation"]["links"].values()) == {"warn"}
    assert set(site["validation"]["links"]) == {"not_found", "anchors", "absolute_links", "unrecognized_links"}
