"""Settings that no run can have: one line before any data are read; those that look so and are sound run through."""

import pytest

from commands.shell import TRAIN, program, refused, write_graph
from faults.runs import check_clear_error
from faults.test_kill import cases

NO_DATA = ("dataset=tsv", "dataset.folder=nowhere")
SETTINGS = {
    "sizes": [
        "scorer.dim=0", "scorer.dim=-8", "scorer.dim=2.5", "scorer.dim=4e3", "scorer.dim='8'", "scorer.dim=true",
        "data.batch_size=0", "data.batch_size=null", "negatives.num_negatives=0", "negatives.num_negatives=-1",
        "negatives=nscaching negatives.cache_size=0", "negatives=sans negatives.hops=0",
        "negatives=kbgan negatives.scorer.dim=-1", "model=gc_ote encoder.max_neighbours=0",
        "model=transae encoder.hidden=-2", "model=otkge encoder.iterations=0", "generator.model.schedule.steps=-1",
        "generator.model.sampling_steps=0", "generator=adversarial generator.model.noise_width=0",
        "model=tucker scorer.relation_dim=0",
    ],
    "sizes that do not divide": ["model=ote scorer.dim=10 scorer.group=4",
    "model=gc_ote scorer.dim=9 scorer.group=2"],
    "numbers": [
        "scorer.margin=nan", "scorer.margin=inf", "scorer.margin=1e39", "scorer.epsilon=-1", "scorer.margin='9'",
        "loss.temperature=-0.5", "loss.temperature=nan", "loss=margin_ranking loss.margin=-1",
        "model=complex_n3 loss.label_smoothing=1.5", "model=complex_n3 regularizer.weight=-1e-4",
        "model=complex_n3 regularizer.p=0", "optimization.optimizer.lr=0", "optimization.optimizer.lr=-inf",
        "optimization.optimizer.lr='0.1'", "optimization.optimizer.weight_decay=-1", "optimization.clip_norm=-1",
        "+optimization.optimizer.betas=[1,1]", "generator.weight=-0.1", "generator.levels=[{time:0.1,weight:nan}]",
        "generator.levels=[{time:-1,weight:1,margin:1}]", "generator.levels=[]",
        "model=rsme encoder.image_share=2", "model=tucker scorer.input_dropout=1",
        "missing=random missing.share=1.5", "protocol.carve_fraction=0",
        "dataset=edges dataset.path=nowhere dataset.valid_fraction=-0.1",
        "dataset=edges dataset.path=nowhere dataset.test_fraction=1", "seed=-1", "seed=0.5", "seed=null", "cell=nan",
    ],
    "lengths": [
        "trainer.max_epochs=0", "trainer.max_epochs=-1", "trainer.check_val_every_n_epoch=0", "budget=fast",
        "trainer.max_epochs=2 trainer.check_val_every_n_epoch=3", "+trainer.max_steps=5",
        "+trainer.fast_dev_run=true",
        "stopping.patience=0", "epochs.full=0", "validations.full=-1", "+trainer.accumulate_grad_batches=2",
        "+trainer.gradient_clip_val=1", "+trainer.overfit_batches=1", "trainer.precision=64-true",
        "trainer.devices=0",
    ],
    "words": [
        "protocol.select=first", "protocol.validation=none", "protocol.ties=optimistic", "negatives.filtered=yes",
        "model=transe scorer.norm=l3", "model=adamf encoder.absent=nil", "model=adamf encoder.when_missing=go",
        "generator.model.prediction=x", "generator.loss.joint_scoring=sum", "generator.model.schedule.kind=square",
        "missing=random missing.strategy=all", "acceleration.matmul_precision=low", "keep_data=perhaps", "force=1",
        "reciprocal='true'", "dataset.header=maybe", "dataset.normalize=2", "dataset.columns=[head,tail]",
    ],
    "names": [
        "scorer.dims=8", "+scorer.dims=8", "modle=rotate", "+modle=rotate", "model=rotatE", "scorer=rotat",
        "scorer=null", "loss=none", "encoder=null", "optimizer.lr=1", "lr=0.1", "+trainer.epochs=3", "+data.valid=3",
        "stopping=5", "data={batch:3}", "~scorer.dim ~seed", "~data",
        "negatives=all negatives.filtered=true", "generator=none ablation=no_hal",
        "ablation=no_diffheg generator=paper", "model", "=3",
        "+scorer._partial_=maybe", "scorer._target_=dhns.scorers.rotate", "scorer._target_=3", "scorer=[",
    ],
}  # fmt: skip
WRONG = [(kind, override) for kind, overrides in SETTINGS.items() for override in overrides]
FEW = [("numbers", "scorer.margin=1e39"), ("sizes that do not divide", "model=ote scorer.dim=10 scorer.group=4")]


@pytest.mark.parametrize(("kind", "override"), cases(FEW, WRONG))
def test_settings_of_training(tmp_path, ledger, kind, override):
    """a setting of dhns train that no training can have."""
    ledger.injected()
    line = refused(tmp_path, "train", *NO_DATA, *override.split())
    assert "no such folder" not in line, "the data came first"
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".ckpt", ".safetensors")]
    ledger.refused()


COMMANDS_OF_OTHERS = {
    "evaluate checkpoint=x": ["split=tset x=1", "+nonsense=1", "dataset=tsv", "k=3", "out=a.xlsx", "trust=3",
                              "progress=9"],
    "predict checkpoint=x head=a relation=b": ["k=0", "k=2.5", "k=many", "known=drop", "seed=3", "out=.", "tails=c"],
    "compare": ["level=1", "level=nan", "metric=map", "by=entity", "split=train", "out=t.pdf", "markdown=2", "run=x"],
    "curves": ["split=train", "markdown=no", "metric=mrr"],
    "reproduce datasets=[world_flags]": ["table=9", "jobs=0", "jobs=two", "seeds=[x]", "seeds=[-1]", "rows=[nobody]",
                                         "budget=tiny", "datasets=[nowhere]", "seed=1",
                                         "overrides=[nonsense=1]", "render_only=3"],
    "data stats": ["dataset=nowhere", "protocol=dirty", "+x=1", "missing=random missing.share=-1", "scorer=rotate"],
    "data": ["stat", "action=3", "convert", "ids out=."],
    "features texts=t.tsv out=f": ["batch_size=0", "dtype=int8", "when_unreadable=ask", "text_encoder=bert",
    "image=x"],
}  # fmt: skip
OF_OTHERS = [(command, override) for command, overrides in COMMANDS_OF_OTHERS.items() for override in overrides]


@pytest.mark.parametrize(("command", "override"), cases([("compare", "level=nan")], OF_OTHERS))
def test_settings_of_other_commands(tmp_path, ledger, command, override):
    """a setting of another command that it cannot have."""
    write_graph(tmp_path / "graph")
    ledger.injected()
    ended = program(tmp_path, *command.split(), *override.split(), DHNS_DOWNLOAD="false")
    check_clear_error(ended.code, ended.err)
    assert len(ended.err.splitlines()) == 1, ended.err
    ledger.refused()


RIGHT = [
    "scorer.margin=9", "scorer.margin=0", "optimization.optimizer.lr=1e-30", "loss.temperature=null",
    "optimization.clip_norm=1e-20", "data.batch_size=100000", "negatives.num_negatives=1", "scorer.dim=1",
    "stopping.patience=null", "data.valid_triples=1", "trainer.max_epochs=1", "seed=9223372036854775807",
    "negatives=uniform negatives.sides=random", "negatives.filtered=False", "protocol.carve_fraction=1e-1",
    "optimization.optimizer.weight_decay=0", "--multirun", "progress=true", "logger=none",
    "reciprocal=true",
]  # fmt: skip


@pytest.mark.parametrize("override", cases(["scorer.dim=1"], RIGHT))
def test_settings_at_the_edge(tmp_path, ledger, override):
    """a setting at the edge of what there is."""
    write_graph(tmp_path / "graph")
    ledger.injected()
    command = [part for part in TRAIN if "modalities" not in part]
    ended = program(tmp_path, *command, "model=rotate", *override.split())
    assert ended.code == 0, ended.err
    assert list(tmp_path.rglob("result.json"))
    ledger.survived()
