"""Encoders of transformers and sentence-transformers, with tiny models of random weights made here."""

import json
import pickle

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dhns.errors import InputError
from dhns.features.image_transformer import ImageTransformer
from dhns.features.model_folder import find_model
from dhns.features.sentence_transformer import SentenceTransformer

WHY = "not installed; make test-features installs the extra 'features' and runs these tests"
transformers = pytest.importorskip("transformers", reason=f"transformers is {WHY}")
sentence_transformers = pytest.importorskip("sentence_transformers", reason=f"sentence-transformers is {WHY}")

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "green", "blue", "flag", "of", "the"]
IMAGES = [Image.new("RGBA", size, colour) for size, colour in (((40, 30), "red"), ((16, 64), "blue"))]


@pytest.fixture(scope="module")
def beit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny-beit"
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.BeitConfig(image_size=32, patch_size=8, use_mean_pooling=True, **sizes)
    transformers.BeitModel(config).save_pretrained(folder)
    square = {"height": 32, "width": 32}
    processor = {"image_processor_type": "BeitImageProcessor", "size": square, "do_center_crop": False}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


@pytest.fixture(scope="module")
def sbert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    bert = transformers.BertModel(transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, **sizes))
    bert.save_pretrained(folder / "bert")
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    modules = sentence_transformers.sentence_transformer.modules
    words = modules.Transformer(str(folder / "bert"))
    library = sentence_transformers.SentenceTransformer
    library(modules=[words, modules.Pooling(16)], device="cpu").save(str(folder / "tiny-sbert"))
    return folder / "tiny-sbert"


def test_beit_gives_its_pooler_or_its_first_token(beit):
    model = transformers.BeitModel.from_pretrained(beit).eval()
    encoder = ImageTransformer(str(beit))
    pixels = encoder.processor(images=[image.convert("RGB") for image in IMAGES], return_tensors="pt")
    with torch.inference_mode():
        states = model(**pixels)
    assert torch.allclose(encoder.encode(IMAGES), states.pooler_output, atol=1e-5)
    cls = ImageTransformer(str(beit), output="cls").encode(IMAGES)
    assert torch.allclose(cls, states.last_hidden_state[:, 0], atol=1e-5)
    assert cls.shape == (2, 16)


def test_beit_rows_do_not_depend_on_the_batch(beit):
    encoder = ImageTransformer(str(beit))
    alone = torch.cat([encoder.encode([image]) for image in IMAGES])
    assert torch.allclose(encoder.encode(IMAGES), alone, atol=1e-5)
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)


def test_sbert_is_the_mean_over_tokens_of_length_one(sbert):
    texts = ["red flag", "the flag of the blue"]
    encoder, raw = SentenceTransformer(str(sbert)), SentenceTransformer(str(sbert), normalize=False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(sbert)
    with torch.inference_mode():
        states = [raw.model[0].model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0] for text in texts]
    means = torch.stack([state.mean(dim=0) for state in states])
    assert torch.allclose(raw.encode(texts), means, atol=1e-5)
    assert torch.allclose(encoder.encode(texts), torch.nn.functional.normalize(means), atol=1e-5)


@pytest.mark.parametrize("kind", ["beit", "sbert"])
def test_descriptions_change_with_weights_settings_and_name_no_folder(request, tmp_path, kind):
    folder, encoder = request.getfixturevalue(kind), {"beit": ImageTransformer, "sbert": SentenceTransformer}[kind]
    first = encoder(str(folder)).description
    assert first["name"] == folder.name
    assert str(folder.parent) not in json.dumps(first)
    copy = tmp_path / folder.name
    copy.mkdir()
    for path in folder.rglob("*"):
        if path.is_file():
            (copy / path.relative_to(folder)).parent.mkdir(exist_ok=True)
            (copy / path.relative_to(folder)).write_bytes(path.read_bytes())
    assert encoder(str(copy)).description == first
    weights = load_file(copy / "model.safetensors")
    save_file({name: 2 * tensor for name, tensor in weights.items()}, copy / "model.safetensors", {"format": "pt"})
    changed = encoder(str(copy)).description
    assert {key for key in first if first[key] != changed[key]} == {"weights_sha256"}


class Harm:
    """Unpickling this would run code."""

    def __reduce__(self):
        return print, ("harm",)


@pytest.mark.parametrize("encoder", [ImageTransformer, SentenceTransformer])
def test_pickled_weights_are_refused(tmp_path, capsys, encoder):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(InputError, match=r"no .safetensors weights .*pickled ones are never loaded"):
        encoder(str(tmp_path))
    assert "harm" not in capsys.readouterr().out


def test_pickled_weights_of_a_part_are_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "2_Dense").mkdir()
    (tmp_path / "2_Dense" / "pytorch_model.bin").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(InputError, match="2_Dense, and pickled ones are never loaded"):
        find_model(str(tmp_path), None, local_files_only=True)


def test_code_that_comes_with_a_model_is_not_run(sbert, tmp_path):
    modules = json.loads((sbert / "modules.json").read_text())
    modules[0]["type"] = "harm.Harm"
    for path in (path for path in sbert.rglob("*") if path.is_file()):
        (tmp_path / path.relative_to(sbert)).parent.mkdir(exist_ok=True)
        (tmp_path / path.relative_to(sbert)).write_bytes(path.read_bytes())
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    (tmp_path / "harm.py").write_text("raise SystemExit('harm')")
    with pytest.raises(InputError, match=r"cannot be loaded as a text encoder: .*third-party code"):
        SentenceTransformer(str(tmp_path))


def test_random_weights_in_the_place_of_missing_ones_are_refused(beit, tmp_path):
    for path in beit.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(beit / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("pooler.")}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"lack pooler.layernorm.bias; output=cls does without"):
        ImageTransformer(str(tmp_path))
    assert ImageTransformer(str(tmp_path), output="cls").encode(IMAGES).isfinite().all()


def test_a_text_model_is_no_image_encoder(sbert):
    with pytest.raises(InputError, match="'tiny-sbert' cannot be loaded as an image encoder"):
        ImageTransformer(str(sbert))


def test_a_model_that_is_neither_a_folder_nor_at_hand(tmp_path):
    with pytest.raises(InputError, match=r"'nobody/nothing' is no folder, and cannot be fetched .*hf download"):
        find_model("nobody/nothing", None, local_files_only=True)


def test_a_revision_of_a_local_folder_is_refused(beit):
    with pytest.raises(InputError, match="revision=main is for models of the hub"):
        ImageTransformer(str(beit), revision="main")
