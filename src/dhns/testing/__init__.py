"""What parts of a model promise each other, as checks for parts of your own.

A check takes whatever makes the part, as the program makes it from a file of ``conf/``, and raises an `AssertionError`
that lists every promise it breaks and what was seen::

    from functools import partial

    from dhns.testing import check_encoder, check_scorer

    def test_my_scorer():
        check_scorer(lambda: MyScorer(dim=4))

    def test_my_encoder():
        check_encoder(partial(MyEncoder, hidden=8))

All work on a graph of twelve entities and take well under a second. They draw from seeds of their own and leave the
global generator as it was. No test framework is needed.
"""

from dhns.testing.encoders import check_encoder
from dhns.testing.generators import check_generator
from dhns.testing.losses import check_loss
from dhns.testing.samplers import check_sampler
from dhns.testing.scorers import check_scorer
from dhns.testing.small_world import small_graph

__all__ = ["check_encoder", "check_generator", "check_loss", "check_sampler", "check_scorer", "small_graph"]
