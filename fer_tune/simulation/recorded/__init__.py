"""Simulated searches that go on from recorded ones."""
