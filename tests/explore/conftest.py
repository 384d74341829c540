"""What all tests of explorables share: a stage, which is a bare page with explorables on it."""

import functools

import pytest
from explorable_page import put_on_page


@pytest.fixture
def stage(open_page, tmp_path):
    """`stage(widget, ...)` writes a page with these widgets, opens it and gives the visit."""
    return functools.partial(put_on_page, open_page, tmp_path)
