"""The campaign of kills in short: its whole is `python tests/campaign/kills.py`."""

import pytest
from campaign.kills import campaign


@pytest.mark.slow
def test_commands_killed_at_random_end_as_those_left_alone(tmp_path):
    found = campaign(tmp_path, 4)
    assert found["kills"] >= 4
    assert found["otherwise"] == found["not ended"] == 0
