"""The benchmark builder: from real questions to a released set of fictional ones."""
