"""Whatever is put into a record: report and viewer show it or refuse it in one line with its place.

Damages with the words that have to be said are cases of tests/untrusted/records.
"""

import json
import random

import pytest

from reseek.errors import InputError
from tests.support.damaged_records import DELETED, made_run, shown, written

ODD = [DELETED, None, -1, 0, 1, 10**30, 1.5, float("nan"), float("-inf"), "", "x", [], {}, True, "failed", "No", [[[]]]]


def paths(value, at=()):
    inside = value.items() if isinstance(value, dict) else enumerate(value[:4]) if isinstance(value, list) else ()
    for key, inner in inside:
        yield [*at, key]
        yield from paths(inner, (*at, key))


@pytest.mark.parametrize(("of", "file"), [("evaluation", "episodes/nq.jsonl"), ("training", "rollouts/step_2.jsonl")])
def test_whatever_is_put_into_a_record_it_is_shown_or_refused_with_its_place(tmp_path, of, file):
    path, rng = made_run(of, tmp_path / "run") / file, random.Random(14)
    before = path.read_bytes()
    places = list(paths(json.loads(before.splitlines()[3])))
    for _ in range(30):
        at = rng.choice(places)
        written(path, at, rng.choice(ODD), 3)
        try:
            shown(path)
        except InputError as error:
            assert str(error).startswith(f"{path}:"), (at, str(error))
        path.write_bytes(before)


CONTENTS = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"7",
    b"\xff\xfe",
    b'{"a": "\xff"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"a: [b\n c: !!python/object:os.system {}",
)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize(
    ("of", "file"),
    [
        *(("evaluation", name) for name in ("config.yaml", "conditions.json", "versions.json", "unanswerable.json")),
        *(("training", name) for name in ("config.yaml", "result.json", "metrics.jsonl")),
    ],
)
def test_whatever_a_file_of_the_run_holds_it_is_read_or_refused_with_its_name(tmp_path, of, file, content):
    run = made_run(of, tmp_path / "run")
    records = next((run / {"evaluation": "episodes", "training": "rollouts"}[of]).glob("*.jsonl"))
    (run / file).write_bytes(content)
    try:
        shown(records)
    except InputError as error:
        assert str(error).startswith(f"{run / file}") and "\n" not in str(error), str(error)
