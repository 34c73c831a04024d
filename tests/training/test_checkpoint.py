"""Finding, reading and refusing checkpoints; what a loaded module ranks and predicts."""

import dataclasses

import pytest
import torch

from dhns.errors import InputError
from dhns.negatives.uniform import UniformSampler
from dhns.training.callbacks import checkpoints
from dhns.training.checkpoint import find_checkpoint, load_weights, read_checkpoint, require_own_targets
from dhns.training.device import choose_device
from dhns.training.hardness import score_samples
from dhns.training.prediction import Query, answer_table, predict, remarks


@pytest.fixture
def module(make_module):
    return make_module()


@pytest.fixture
def saved(module, fit, tmp_path):
    fit(module, checkpoints(tmp_path / "checkpoints", True, None), enable_checkpointing=True)
    return tmp_path / "checkpoints" / "last.ckpt"


def test_weights_come_back(module, make_module, saved):
    other = make_module("seed=9")
    load_weights(other, saved)
    for name, value in module.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
    torch.testing.assert_close(
        other.model.score_triples(other.graph.test), module.model.score_triples(module.graph.test), rtol=0, atol=0
    )


def test_checkpoints_hold_no_frozen_features(module, saved):
    assert not any("features" in name or "present" in name for name in read_checkpoint(saved)["state_dict"])


def test_checkpoints_hold_the_configuration_as_written(saved, make_config):
    config = read_checkpoint(saved)["hyper_parameters"]["config"]
    assert config["run_dir"].startswith("${paths.outputs}/")
    assert config["scorer"]["dim"] == 8


@pytest.mark.parametrize("names", [["best"], ["last"], ["best", "last"]])
@pytest.mark.parametrize("inside", ["", "checkpoints"])
def test_best_is_preferred_to_last(tmp_path, names, inside):
    (tmp_path / inside).mkdir(exist_ok=True)
    for name in names:
        (tmp_path / inside / f"{name}.ckpt").touch()
    assert find_checkpoint(tmp_path) == tmp_path / inside / f"{names[0]}.ckpt"
    assert find_checkpoint(tmp_path / inside / f"{names[-1]}.ckpt").stem == names[-1]


def test_nothing_to_find(tmp_path):
    with pytest.raises(InputError, match="no checkpoint at"):
        find_checkpoint(tmp_path)


def test_checkpoints_call_nothing_foreign(tmp_path, make_config):
    from omegaconf import OmegaConf

    settings = OmegaConf.to_container(make_config(), resolve=False)
    require_own_targets(settings, tmp_path)
    settings["encoder"]["modalities"] = [{"_target_": "os.system", "command": "true"}]
    with pytest.raises(InputError, match=r"asks to call 'os\.system'"):
        require_own_targets(settings, tmp_path)


def test_checkpoints_call_readers_and_nothing_that_writes(tmp_path):
    require_own_targets({"_target_": "dhns.graph.readers.read_tsv"}, tmp_path)
    with pytest.raises(InputError, match="asks to call"):
        require_own_targets({"_target_": "dhns.graph.id_table.write_ids"}, tmp_path)


class Payload:
    """Something that a checkpoint must not make an object of."""


def test_pickled_objects_are_refused(tmp_path):
    path = tmp_path / "evil.ckpt"
    torch.save({"state_dict": Payload()}, path)
    with pytest.raises(InputError, match="is no readable checkpoint"):
        read_checkpoint(path)


def test_truncated_files_are_refused(saved):
    saved.write_bytes(saved.read_bytes()[:-500])
    with pytest.raises(InputError, match="truncated"):
        read_checkpoint(saved)


def test_empty_files_are_refused(tmp_path):
    (tmp_path / "empty.ckpt").touch()
    with pytest.raises(InputError, match="is no readable checkpoint"):
        read_checkpoint(tmp_path / "empty.ckpt")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read the checkpoint .*none\.ckpt"):
        read_checkpoint(tmp_path / "none.ckpt")


@pytest.mark.parametrize("content", [{"weights": torch.zeros(1)}, [1, 2], torch.zeros(3)])
def test_checkpoints_of_others_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(InputError, match="is not a checkpoint of dhns"):
        read_checkpoint(tmp_path / "other.ckpt")


def test_weights_of_another_size_are_refused(make_module, saved):
    with pytest.raises(InputError, match="does not fit the graph at hand"):
        load_weights(make_module("scorer.dim=4"), saved)


def test_devices():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type
    with pytest.raises(InputError, match=r"'abacus' is not usable here.*use device=cpu"):
        choose_device("abacus")


# --- prediction ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["head", "relation", "tail"])
def test_prediction_sorts_all_candidates_by_their_score(module, asked):
    graph = module.graph
    given = {"head": 2, "relation": 0, "tail": 3} | {asked: None}
    query = Query(**given)
    count = graph.num_relations if asked == "relation" else graph.num_entities
    assert query.asked == asked
    answers = predict(module, query, k=100)
    triples = [[c if part is None else part for part in given.values()] for c in range(count)]
    scores = module.model.score_triples(torch.tensor(triples)).tolist()
    assert sorted(answer.candidate for answer in answers) == list(range(count))
    assert [answer.score for answer in answers] == pytest.approx(sorted(scores, reverse=True), rel=1e-4)
    assert all(answer.score == pytest.approx(scores[answer.candidate], rel=1e-4) for answer in answers)


def test_predictions_say_which_split_knows_them(module):
    h, r, t = module.graph.test[0].tolist()
    answers = {answer.candidate: answer.known_in for answer in predict(module, Query(h, r, None), k=12)}
    assert answers.pop(t) == ("test",)
    train = {tail for head, relation, tail in module.graph.train.tolist() if (head, relation) == (h, r)}
    assert {tail for tail, splits in answers.items() if "train" in splits} == train


def test_only_k_answers_are_given(module):
    everything = predict(module, Query(0, 0, None), k=100)
    assert predict(module, Query(0, 0, None), k=3) == everything[:3]


def test_queries_are_parsed_from_names(toy_graph):
    labels, relations = toy_graph.entities.labels, toy_graph.relations.labels
    assert Query.parse(toy_graph, labels[4], relations[1], None) == Query(4, 1, None)
    assert Query.parse(toy_graph, None, "id:1", toy_graph.entities.keys[2]) == Query(None, 1, 2)


@pytest.mark.parametrize("parts", [(0, 0, 0), (0, None, None), (None, None, None)])
def test_queries_give_two_parts(toy_graph, parts):
    with pytest.raises(InputError, match="gives two of head, relation and tail"):
        Query.parse(toy_graph, *parts)


def test_answers_are_printed_with_labels(module):
    query = Query(0, 0, None)
    table = answer_table(module.graph, query, predict(module, query, k=2))
    assert table.row_count == 2
    assert module.graph.entities.labels[0] in table.title


# --- the hardness report ------------------------------------------------------------------------------------------


def test_samples_of_every_level_and_view(module, monkeypatch):
    drawn, forward = [], UniformSampler.forward

    def watched(self, triples, *rest):
        drawn.append((triples, forward(self, triples, *rest)))
        return drawn[-1][1]

    monkeypatch.setattr(UniformSampler, "forward", watched)
    samples = score_samples(module, module.graph.train)
    positives = len(module.graph.train)
    torch.testing.assert_close(samples["true"], module.model.score_triples(module.graph.train))
    ((triples, negatives),) = drawn
    corrupted = triples[:, None].repeat(1, negatives.entity.shape[1], 1)
    for row, entities, head_side in zip(corrupted, negatives.entity, negatives.head_side, strict=True):
        row[:, 0 if head_side else 2] = entities
    torch.testing.assert_close(samples["sampled"], module.model.score_triples(corrupted.flatten(0, 1)))
    for level in module.generator.levels:
        assert len(samples[f"level_{level.time:g}/structure"]) <= 2 * positives
        assert f"level_{level.time:g}" in samples
    assert all(score.isfinite().all() and len(score) > 0 for score in samples.values())


def test_samples_do_not_depend_on_what_was_drawn_before(module):
    first = score_samples(module, module.graph.valid)
    torch.manual_seed(999)
    module.batches_seen = 77
    second = score_samples(module, module.graph.valid)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_views_that_no_triple_has_are_left_out(module):
    ring = module.graph.train[module.graph.train[:, 1] == 0]  # links an entity with an image to one without
    names = score_samples(module, ring)
    assert any(name.endswith("/textual") for name in names)
    assert not any(name.endswith("/visual") for name in names)


def test_entities_that_were_never_trained_are_named(toy_graph):
    query = Query.parse(toy_graph, "e11", "next", None)
    assert remarks(toy_graph, query, []) == [
        "'Entity 11' is in no training triple: what is said of it rests on its features"
    ]
    bare = dataclasses.replace(toy_graph, modalities={})
    assert remarks(bare, query, []) == ["'Entity 11' is in no training triple: its scores are those of a random vector"]
    assert remarks(bare, Query.parse(bare, "e1", "next", None), []) == []
