"""A context policy: the first rejected observations stay, later ones are removed without a stub."""

from reseek.agent.context import Edit
from reseek.agent.context_policies import Rejected
from reseek.registry import Extension


class PatientDrop(Extension):
    """Keeps the first `keep` rejected observations of an episode."""

    keep: int = 1

    def after_no(self, rejected: Rejected) -> Edit | None:
        if rejected.earlier < self.keep:
            return None
        return Edit(rejected.start, rejected.end)
