"""The run that nobody disturbed."""

import pytest
from runs import train, weights, without_seconds


@pytest.fixture(scope="session")
def alone():
    """Its weights and history."""
    tagger, history = train()
    return weights(tagger), without_seconds(history)
