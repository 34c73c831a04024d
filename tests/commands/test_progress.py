"""Set-up that takes long is told, unless nobody wants to be told."""

import pytest

from commands.shell import DATA, SMALL, succeed
from dhns import progress
from dhns.negatives import nscaching


@pytest.mark.parametrize("wanted", [True, False])
def test_the_set_up_of_a_sampler_shows_its_progress_if_wanted(place, monkeypatch, wanted):
    monkeypatch.setattr(progress, "PATIENCE", -1.0)
    monkeypatch.setattr(nscaching, "ROWS", 5)
    settings = ("model=rotate", "negatives=nscaching", "trainer.max_epochs=1", f"progress={wanted}")
    printed = succeed(place, "train", *DATA, *SMALL, *settings)
    assert ("Filling caches: " in printed) is wanted
