"""The LoRA file: diffusers loads and unloads it, procvid merges it, the Hub publishes it."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from procvid.cli import main
from procvid.errors import InputError
from procvid.hub.bundle.lora import bundle_lora
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.lora_file import lora_facts
from procvid.hub.names import HubId, ReleaseTarget
from procvid.phantom.layout import parameter_shapes
from procvid.phantom.loading import read_config
from procvid.phantom.lora import find_lora, merge_loras, read_lora
from procvid.phantom.model_folder import load_pipeline

pytestmark = pytest.mark.usefixtures("quick_models")
WEIGHTS = "pytorch_lora_weights.safetensors"


@pytest.fixture(scope="module")
def model(quick_models):
    """Return the folder of the model that is trained and that generates."""
    return quick_models / "tiny_phantom"


def config_of(model) -> dict:
    return read_config(model / "transformer" / "config.json")


@pytest.fixture(scope="module")
def trained(training, tmp_path_factory):
    """Train a few steps at a high learning rate, with alpha different from rank."""
    out = tmp_path_factory.mktemp("trained")
    list(training(out, learning_rate=2e-2, alpha=8.0).run())
    return out


@pytest.fixture(scope="module")
def trained_all(training, trained, tmp_path_factory):
    """Train all layers, starting from the LoRA of the attention layers."""
    out = tmp_path_factory.mktemp("all")
    init = str(trained / "lora" / WEIGHTS)
    list(training(out, init=init, targets="all", learning_rate=2e-2, alpha=8.0).run())
    return out


def call(transformer) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        return transformer(
            hidden_states=torch.randn(1, 16, 4, 8, 8, generator=generator),
            timestep=torch.tensor([500]),
            encoder_hidden_states=torch.randn(1, 96, 96, generator=generator),
            return_dict=False,
        )[0]


@pytest.mark.parametrize("layers", ["trained", "trained_all"])
def test_saved_loaded_and_unloaded_leaves_the_base_as_it_was(layers, request, model):
    trained = request.getfixturevalue(layers)
    pipeline = load_pipeline(model, torch.float32)
    before = {k: v.clone() for k, v in pipeline.transformer.state_dict().items()}
    plain = call(pipeline.transformer)
    pipeline.load_lora_weights(trained / "lora")
    loaded = call(pipeline.transformer)
    pipeline.unload_lora_weights()
    after = pipeline.transformer.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[k], before[k]) for k in before)
    assert torch.equal(call(pipeline.transformer), plain)
    assert (loaded - plain).abs().max() > 1e-3, "the LoRA changes the output"

    config = config_of(model)
    file = read_lora(find_lora(trained), parameter_shapes(config), config["num_layers"])
    merge_loras(pipeline.transformer, [file])
    assert torch.allclose(call(pipeline.transformer), loaded, atol=1e-4), "alpha / rank is kept"


def test_all_layers_are_more_than_attention(trained_all, model):
    facts = lora_facts(trained_all / "lora" / WEIGHTS)
    assert facts["modules"] == (8 + 2) * config_of(model)["num_layers"] + 2
    assert {"ffn.net.0.proj", "condition_embedder.text_embedder.linear_1"} < set(facts["targets"])
    moved = {k: v for k, v in load_file(trained_all / "lora" / WEIGHTS).items() if ".lora_B." in k}
    assert all(value.abs().max() > 0 for value in moved.values())


def test_its_metadata_and_the_hub_bundle(trained, model, tmp_path):
    facts = lora_facts(trained / "lora" / WEIGHTS)
    assert (facts["rank"], facts["alpha"], facts["modules"]) == (
        4,
        8.0,
        8 * config_of(model)["num_layers"],
    )
    assert facts["targets"] == sorted(
        f"attn{k}.{name}" for k in (1, 2) for name in ("to_k", "to_out.0", "to_q", "to_v")
    )
    record = json.loads((trained / "lora" / "training.json").read_text())
    assert record["base_model"] == "tiny" and len(record["base_sha256"]) == 64
    assert len(record["data_sha256"]) == 64 and record["settings"]["rank"] == 4
    out = tmp_path / "bundle"
    target = ReleaseTarget(HubId("cook/lora", "main", "model"), "v1")
    release = bundle_lora(trained / "lora", out, BundleOptions(target=target), lambda: "sha256:x")
    assert release.facts["lora"] == facts
    assert "| batch size | 4 |" in (out / "README.md").read_text()


def test_a_training_can_start_from_a_lora_of_the_same_rank(training, trained, tmp_path):
    init = str(trained / "lora" / WEIGHTS)
    list(training(tmp_path / "a", init=init, learning_rate=1e-9, alpha=8.0).run())
    begun, given = load_file(tmp_path / "a" / "lora" / WEIGHTS), load_file(init)
    assert all(torch.allclose(begun[key], given[key], atol=1e-6) for key in given)
    with pytest.raises(InputError, match="another rank or other layers"):
        list(training(tmp_path / "b", init=init, rank=2).run())
    with pytest.raises(InputError, match="its init sha256 is"):
        list(training(tmp_path / "a", learning_rate=1e-9, alpha=8.0).run())


def test_a_lora_of_more_layers_cannot_start_a_training_of_fewer(training, trained_all, tmp_path):
    with pytest.raises(InputError, match="another rank or other layers"):
        list(training(tmp_path, init=str(trained_all / "lora" / WEIGHTS)).run())


def test_generate_takes_the_training_folder(trained, tmp_path, capsys):
    recipe = tmp_path / "recipe.txt"
    recipe.write_text(
        "Radish\n1. Fry the radish in the frying pan.\n2. Boil the salmon in the pot.\n"
    )
    command = ["generate", str(recipe), "--out", str(tmp_path / "run"), "--steps", "1"]
    assert main([*command, "--memory", "none", "--lora", str(trained)]) == 0
    assert "not trained on salmon;" in capsys.readouterr().out, "but of the radish"
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert f"+ {WEIGHTS} x 1 sha256:" in run["models"]["generator"]
