"""The entry points by which verl and vLLM find ReSeek in each of their processes, and whether they are installed.

They are written when the package is installed. An editable installation keeps those of the day it was made: where the
code has moved since, verl drops its plug-in with a message at debug level, and vLLM runs on without its patches.
"""

from importlib.metadata import PackageNotFoundError, distribution

from reseek.errors import InputError

DISTRIBUTION = "reseek"
EXPECTED = {
    ("verl.plugins", "reseek"): "reseek.training.verl_plugin.plugin",
    ("vllm.general_plugins", "reseek_cpu"): "reseek.training.verl_plugin.patches:patch_vllm",
}
"""By group and name, as in pyproject.toml."""


def check_entry_points() -> None:
    """Raises InputError where verl or vLLM would load something else of ours, or nothing."""
    try:
        installed = distribution(DISTRIBUTION).entry_points
    except PackageNotFoundError:
        raise InputError(f"{DISTRIBUTION} is not installed in this environment: run make setup") from None
    found = {(point.group, point.name): point.value for point in installed}
    for (group, name), value in EXPECTED.items():
        if found.get((group, name)) != value:
            raise InputError(
                f"the installed {DISTRIBUTION} is of another version than this code (entry point {name} of {group} is "
                f"{found.get((group, name), 'missing')}, must be {value}): run make setup"
            )
