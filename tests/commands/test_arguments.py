"""Texts reach a command as they were typed, whatever characters they hold; flags may stand anywhere."""

import inspect
import typing
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_object
from hypothesis import assume, example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue

from builders import composed
from commands.shell import RELATIONS, SMALL, program, results, succeed, write_graph
from dhns.commands.arguments import in_words_of_hydra, quoted
from dhns.config.own_settings import OWN
from dhns.config.values import alternatives
from dhns.resources import conf_dir

PARSER = OverridesParser.create()
ODD = "\\'\"${}[]()a ,=:?!#%é中~\n\t"


def received(argument):
    """The value of an argument after Hydra's and OmegaConf's grammars."""
    value = PARSER.parse_override(argument).value()
    return OmegaConf.create({"value": value}).value


def again(argument):
    """The argument as a sweep hands it to its jobs."""
    override = PARSER.parse_override(argument)
    return f"{override.get_key_element()}={override.get_value_element_as_str()}"


def in_quotes(text):
    return len(text) > 1 and text[0] == text[-1] and text[0] in "'\""


TEXTS = st.one_of(st.text(st.sampled_from(ODD), max_size=8), st.text(st.characters(exclude_categories=["Cs"])))


@example("")
@example("${oc.env:HOME}")
@example("a\\\\${b}\\'c\\")
@example("back\\")
@example("back\\\n")
@example('"Weird Al" Yankovic')
@example("nan")
@example("1e5")
@example("0012")
@example("True")
@given(TEXTS)
def test_any_name_arrives_as_it_is(name):
    assume(not in_quotes(name))
    assume(name not in ("???", "null"))  # see the tests below
    argument = quoted(f"tail={name}")
    assert received(argument) == received(again(argument)) == name
    assert quoted(argument) == argument


@pytest.mark.parametrize("key", ["checkpoint", "dataset.folder", "+dataset.modalities.audio", "paths.outputs"])
@example(text="${HOME}")
@example(text="${dataset}")
@example(text="${paths.data")
@given(text=TEXTS)
def test_any_path_arrives_as_it_is_unless_it_refers_to_a_setting(key, text):
    assume(not in_quotes(text))
    assume(text not in ("???", "null"))
    assume(not text.startswith("~"))
    assume(not (text.startswith("{") and text.endswith("}")))
    assume("${dataset}" not in text)
    argument = quoted(f"{key}={text}")
    assert received(argument) == received(again(argument)) == text


def test_a_path_may_refer_to_settings_and_to_the_home_folder():
    settings = {
        "paths": {"data": "there"},
        "folder": PARSER.parse_override(quoted("dataset.folder=${paths.data}/a b")).value(),
    }
    assert OmegaConf.create(settings).folder == "there/a b"
    assert received(quoted("runs=~/a b")) == str(Path("~/a b").expanduser())
    assert received(quoted("head=~/a b")) == "~/a b"
    assert received(quoted("head=${paths.data}")) == "${paths.data}"


def test_the_one_name_that_cannot_be_given_counts_as_missing():
    with pytest.raises(MissingMandatoryValue):
        received(quoted("tail=???"))


def test_null_is_none_where_there_may_be_none_and_a_name_in_quotes():
    assert received(quoted("head=null")) is None
    assert received(quoted("head='null'")) == "null"
    assert received(quoted("dataset.name=null")) == "null"


@pytest.mark.parametrize(
    "argument",
    ["k=3", "head=null", "head='New York'", 'tail="a, b"', "checkpoint=run", "scorer.dim=7", "~dataset.name",
     "seed=0,1", "missing.modalities=[a,b]", "+dataset.modalities.audio={path: a.npy, missing: none}"],
)  # fmt: skip
def test_other_arguments_are_left_alone(argument):
    assert quoted(argument) == argument


CHOICES = {
    "dataset.folder=a,b": ["a", "b"],
    "dataset.folder=Zürich (1),b=c": ["Zürich (1)", "b=c"],
    "dataset.name='a, b',c": ["a, b", "c"],
    "dataset.name=it's,2024": ["it's", "2024"],
    "dataset.name='a, b'": None,
    "dataset.name=one": None,
}


@pytest.mark.parametrize(("argument", "choices"), CHOICES.items(), ids=CHOICES)
def test_in_a_sweep_commas_outside_of_quotes_part_choices(argument, choices):
    override = PARSER.parse_override(quoted(argument, sweep=True))
    assert override.is_sweep_override() == (choices is not None)
    if choices:
        assert [received(f"x={choice}") for choice in override.sweep_string_iterator()] == choices


@example(texts=["outs/My graph 'ü' (1)/rotate/seed-0", "b"])
@given(texts=st.lists(TEXTS, max_size=3))
def test_any_item_of_a_list_of_paths_arrives_as_it_is(texts):
    for text in texts:
        assume(text and text == text.strip() and text not in ("???", "null") and not in_quotes(text))
        assume("," not in text and not text.startswith("~") and '"' not in text and "'" not in text[:1])
    argument = quoted(f"members=[{', '.join(texts)}]")
    assert list(received(argument)) == texts  # a list of OmegaConf would read references in what it is compared with
    assert quoted(argument) == argument


def test_folders_of_runs_are_one_text_or_a_list_of_some():
    assert received(quoted("runs=a, b [c]")) == "a, b [c]"
    assert list(received(quoted("runs=[a b (1),${c}]"))) == ["a b (1)", "${c}"]


def test_items_in_quotes_are_left_to_hydra():
    assert list(received(quoted("members=['a, b', \"c's\",d (1)]"))) == ["a, b", "c's", "d (1)"]
    assert quoted("weights=[0.5,1]") == "weights=[0.5,1]"


# --- which settings are texts --------------------------------------------------------------------------------------


def is_text(key):
    """Whether a number under this key stays what was typed."""
    return received(quoted(f"{key}=007")) == "007"


def texts_of_targets(node, key):
    """Arguments that admit nothing but texts, by the objects themselves."""
    if not isinstance(node, dict):
        return
    if str(node.get("_target_", "")).startswith("dhns."):
        target = get_object(node["_target_"])
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
        for name, hint in hints.items():
            if set(alternatives(hint)) & {str, Path} and set(alternatives(hint)) <= {str, Path, type(None)}:
                yield f"{key}.{name}"
    for name, child in node.items():
        yield from texts_of_targets(child, f"{key}.{name}")


def shipped_texts():
    found = set()
    for folder in conf_dir().iterdir():
        for file in folder.glob("*.yaml") if folder.is_dir() else ():
            found |= set(texts_of_targets(OmegaConf.to_container(OmegaConf.load(file), resolve=False), folder.name))
    return sorted(found)


def test_there_are_texts_to_look_at():
    assert {"dataset.folder", "dataset.name", "dataset.path", "text_encoder.model", "protocol.name"} <= set(
        shipped_texts()
    )


def test_every_argument_that_is_a_text_is_taken_as_one():
    assert not [key for key in shipped_texts() if not is_text(key)]


def test_every_setting_of_a_command_itself_says_what_it_holds():
    for file in conf_dir().glob("*.yaml"):
        own = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
        plain = {key for key, value in own.items() if not isinstance(value, dict | list)}
        assert plain - OWN.keys() <= {"datasets", "rows"}, f"{file}: lists, which are null by default"


# --- flags, and the whole way --------------------------------------------------------------------------------------


def test_flags_may_stand_anywhere():
    assert in_words_of_hydra(["model=rotate", "--multirun", "seed=0,1"]) == ["--multirun", "model=rotate", "seed=0,1"]
    assert in_words_of_hydra(["--cfg", "job", "k=1", "--resolve"]) == ["--cfg", "job", "--resolve", "k=1"]
    assert in_words_of_hydra(["stats", "k=1"], "action") == ["action=stats", "k=1"]
    assert in_words_of_hydra(["k=1", "stats"], "action") == ["action=stats", "k=1"]
    assert in_words_of_hydra([]) == in_words_of_hydra([], "action")[1:] == []


PLACE = "Zürich (1) [a], b=c: 中文 #$ 'q' {x} \\ end"


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A run in folders whose names mean something in every language but a file system's."""
    folder = tmp_path_factory.mktemp("odd")
    write_graph(folder / PLACE)
    settings = ("dataset=tsv", f"dataset.folder={PLACE}", "dataset.name=näme (1) [/x] = 'y', :smile:", "model=rotate")
    printed = succeed(folder, "train", *settings, *SMALL, f"run_dir=runs/{PLACE}")
    return folder, printed


def test_training_in_odd_places(odd):
    folder, printed = odd
    assert f"runs/{PLACE}/result.json" in printed
    assert "test split of näme (1) [/x] = 'y', :smile:, filtered" in printed
    ((path, result),) = results(folder).items()
    assert path.parent == folder / "runs" / PLACE
    assert result["dataset"] == "näme (1) [/x] = 'y', :smile:"


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", f"checkpoint=runs/{PLACE}", "device=cpu"),
        (
            "predict",
            f"checkpoint=runs/{PLACE}",
            "device=cpu",
            "head=e0",
            f"relation={RELATIONS[0]}",
            f"out={PLACE}.json",
        ),
        ("compare", "runs=runs"),
        ("report", f"run=runs/{PLACE}", f"out={PLACE}.html", "device=cpu"),
        ("data", "stats", "dataset=tsv", f"dataset.folder={PLACE}", "dataset.name=2024"),
        ("data", "dataset=edges", f"dataset.path={PLACE}/train.tsv", "stats"),
    ],
    ids=lambda command: command[0],
)
def test_using_odd_places(odd, command):
    assert succeed(odd[0], *command)


def test_a_sweep_over_folders(place):
    write_graph(place / "b c")
    ended = program(place, "train", "dataset=tsv", *SMALL, "model=rotate", "--multirun", "dataset.folder=graph,b c")
    assert ended.code == 0, ended.err
    assert {result["dataset"] for result in results(place).values()} == {"graph", "b c"}


def test_a_run_folder_that_hydra_or_lightning_would_read_is_refused(place):
    for folder in ("a::b", "s3://a", "'${x}'"):
        ended = program(place, "train", "dataset=tsv", "dataset.folder=graph", f"run_dir={folder}")
        assert ended.code == 2
        assert ended.err.count("\n") == 1, ended.err


def test_names_and_paths_are_the_same_in_a_composed_configuration():
    for text in ("a, b=[c]: 'd' ${e}", "2024", "nan"):
        assert composed(quoted(f"dataset.name={text}")).dataset.name == text
