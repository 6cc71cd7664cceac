"""What several test files share: tiny real objects, no mocks of our own code."""
