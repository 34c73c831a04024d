"""Names reach a command as they were typed, whatever characters they hold."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import assume, example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue

from dhns.commands.arguments import quoted as _quoted


def received(argument):
    """The value of an argument after Hydra's and OmegaConf's grammars."""
    value = OverridesParser.create().parse_override(argument).value()
    return OmegaConf.create({"value": value}).value


def in_quotes(text):
    return len(text) > 1 and text[0] == text[-1] and text[0] in "'\""


@example("")
@example("${oc.env:HOME}")
@example("a\\\\${b}\\'c\\")
@example("back\\")
@example('"Weird Al" Yankovic')
@given(st.text(st.sampled_from("\\'\"${}[]()a ,=:?!#%é"), max_size=8))
def test_any_name_arrives_as_it_is(name):
    assume(not in_quotes(name))
    assume(name != "???")  # how OmegaConf spells a missing value: see the next test
    assert received(_quoted(f"tail={name}")) == name


def test_the_one_name_that_cannot_be_given_counts_as_missing():
    with pytest.raises(MissingMandatoryValue):
        received(_quoted("tail=???"))


@pytest.mark.parametrize("argument", ["k=3", "head=null", "head='New York'", 'tail="a, b"', "checkpoint=run"])
def test_other_arguments_are_left_alone(argument):
    assert _quoted(argument) == argument
