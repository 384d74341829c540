"""What the examples for `transformers.Trainer` share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gallery import tiny_encoder


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """The folder of a small BERT."""
    pytest.importorskip("transformers", reason="needs the extra transformers")
    return tiny_encoder(tmp_path / "encoder", hidden_dropout_prob=0.05, attention_probs_dropout_prob=0.05)


@pytest.fixture
def accelerate_as_it_was() -> Iterator[None]:
    """`transformers.Trainer` leaves Accelerate's state of the process behind, which other tests look at."""
    pytest.importorskip("transformers", reason="needs the extra transformers")
    yield
    state = pytest.importorskip("accelerate.state")
    state.AcceleratorState._reset_state(reset_partial_state=True)
    state.GradientState._reset_state()
