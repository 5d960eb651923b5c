"""What holds for all tests: fixtures of more than one directory, and how Hypothesis tries its examples."""

from hypothesis import settings

from tests.nobody import nobodys_python

__all__ = ["nobodys_python"]

# How long an example takes on a machine that others use too says nothing.
settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")
