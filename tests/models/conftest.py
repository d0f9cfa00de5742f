"""A local server that speaks the OpenAI protocol, and published models at a tiny size.

A test chooses the answers of the server. The models are the real classes with random weights, in the
files of the Hub.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from procvid.models.openai_client import OpenAIClient
from procvid.plan.rules import plan_recipe
from procvid.types import Recipe

KEY = "sk-proj-VERYSECRET0123456789"
MODEL = "test-model"
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] . frying pan carrot knife pot bowl ##s sauce ##pan".split()


@dataclass
class Asked:
    """One request as the server got it."""

    endpoint: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def shape(self) -> str:
        form = (
            self.body.get("text", {}).get("format") or self.body["response_format"]["json_schema"]
        )
        return str(form["name"])

    @property
    def contents(self) -> Any:
        turns = self.body.get("input") or self.body["messages"]
        return next(turn["content"] for turn in turns if turn["role"] == "user")

    @property
    def material(self) -> dict[str, Any]:
        content = self.contents
        text = content if isinstance(content, str) else content[0]["text"]
        return dict(json.loads(text))


JUDGED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "TextsAnswer": lambda asked: {
        "texts": [
            {"differs": f"thing {n}", "text": f"{asked.get('step') or asked['dish']} But {n}."}
            for n in range(asked["count"])
        ]
    },
    "DishAnswer": lambda asked: {
        "shown": "boiled carrot",
        "sentence": f"A bowl of what {len(asked['steps'])} steps made.",
    },
    "VerdictAnswer": lambda asked: {
        "reason": f"The {asked['object']} was {asked['before']} and is {asked['now']}.",
        "explained": asked["now"][:4] in asked["step"].lower(),
    },
    "CueStepsAnswer": lambda asked: {
        "steps": [
            {"first": int(number), "last": int(number), "step": text.partition("gonna ")[2]}
            for number, text in asked["cues"].items()
            if "gonna " in text
        ]
    },
    "CaptionAnswer": lambda asked: {"seen": "a board", "caption": f"A hand. {asked['said']}"},
    "RatingAnswer": lambda asked: {
        "explanation": "",
        "rating": 2 if "onion" in asked["caption"] else 6,
    },
}

Reply = Callable[[Asked], Response | str]


@dataclass
class Server:
    """Answers like a sensible model, after the `replies` that a test queued."""

    url: str = ""
    replies: list[Reply] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    has_responses: bool = True
    models: tuple[str, ...] = (MODEL,)

    async def answer(self, request: Request) -> Response:
        endpoint = request.url.path.removeprefix("/v1/")
        if endpoint == "responses" and not self.has_responses:
            return JSONResponse({"detail": "Not Found"}, 404)
        asked = Asked(endpoint, dict(request.headers), await request.json())
        self.asked.append(asked)
        said = (self.replies.pop(0) if self.replies else sensible)(asked)
        if isinstance(said, Response):
            return said
        return JSONResponse(responses_body(said) if endpoint == "responses" else chat_body(said))

    async def list_models(self, request: Request) -> Response:
        if request.headers.get("authorization") == "Bearer wrong":
            error = {"message": "Incorrect API key provided: wrong", "code": "invalid_api_key"}
            return JSONResponse({"error": error}, 401)
        data = [{"id": m, "object": "model", "created": 0, "owned_by": "x"} for m in self.models]
        return JSONResponse({"object": "list", "data": data})

    def say(self, *texts: str) -> None:
        """Answer the next requests with these texts."""
        self.replies += [lambda _, text=text: text for text in texts]


def responses_body(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 0,
        "model": MODEL,
        "status": "completed",
        "output": [
            {
                "id": "m",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": content,
            }
        ],
        "usage": {
            "input_tokens": 100,
            "output_tokens": 50,
            "total_tokens": 150,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def chat_body(text: str) -> dict[str, Any]:
    return {
        "id": "chat_1",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
    }


def sensible(asked: Asked) -> str:
    """Plausible answers of a model, made from the rules planner's plan of the same recipe."""
    material = asked.material
    if asked.shape == "SeenObjects":
        objects = [
            {
                "evidence": "in the middle",
                "name": "Skillet",
                "role": "vessel",
                "description": "black iron, round, wooden handle",
                "state": "in use",
                "likelihood": "highly_likely",
            },
            {
                "evidence": "in the pan",
                "name": "carrots",
                "role": "food",
                "description": "orange, thin rounds",
                "state": "chopped",
                "likelihood": "unlikely",
            },
        ]
        return json.dumps({"objects": objects})
    if asked.shape in JUDGED:
        return json.dumps(JUDGED[asked.shape](material))
    steps = tuple(material["steps"][str(n)] for n in range(1, len(material["steps"]) + 1))
    plan = plan_recipe(Recipe(material["title"], steps, tuple(material.get("ingredients", ()))))
    if asked.shape == "ObjectsAnswer":
        found = {
            item.name: {
                "evidence": item.name if item.name in step.text.lower() else "",
                "step": step.number,
                "name": item.name,
                "role": item.role,
                "description": f"speckled blue {item.role}, well worn",
                "likelihood": item.likelihood,
            }
            for step in reversed(plan.steps)
            for item in step.objects
        }
        return json.dumps({"objects": list(found.values())[::-1]})
    known = {item["name"] for item in material["objects"]}
    answers = [
        {
            "number": step.number,
            "action": step.action,
            "objects": [
                {
                    "name": item.name,
                    "state_before": item.state_before,
                    "state_after": item.state_after,
                }
                for item in step.objects
                if item.name in known
            ],
            "prompt": f"Hands at work, seen from close by, in step {step.number}.",
        }
        for step in plan.steps
        if step.number in material["plan"]
    ]
    return json.dumps({"steps": answers})


@pytest.fixture(scope="session")
def _running() -> Iterator[Server]:
    server = Server()

    async def entry(request: Request) -> Response:
        return await server.answer(request)

    async def models(request: Request) -> Response:
        return await server.list_models(request)

    routes = [
        Route("/v1/responses", entry, methods=["POST"]),
        Route("/v1/chat/completions", entry, methods=["POST"]),
        Route("/v1/models", models),
    ]
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        config = uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off")
        app = uvicorn.Server(config)
        thread = threading.Thread(target=app.run, args=([listener],), daemon=True)
        thread.start()
        while not app.started:
            time.sleep(0.01)
        yield server
        app.should_exit = True
        thread.join(10)


@pytest.fixture
def server(_running: Server, monkeypatch: pytest.MonkeyPatch, tmp_path) -> Server:
    """The server, as new; the environment points to it and holds `KEY`."""
    _running.replies, _running.asked = [], []
    _running.has_responses, _running.models = True, (MODEL,)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", _running.url)
    monkeypatch.setenv("PROCVID_OPENAI_MODEL", MODEL)
    monkeypatch.setenv("PROCVID_CACHE", str(tmp_path / "cache"))
    return _running


@pytest.fixture
def client(server: Server, tmp_path) -> OpenAIClient:
    return OpenAIClient(KEY, server.url, MODEL, tmp_path / "cache", timeout_s=1.0)


@pytest.fixture(scope="session")
def grounding_dino_folder(tmp_path_factory) -> Path:
    """The published layout, with a Swin, a BERT and the detector of a few thousand weights."""
    import torch
    from transformers import (
        BertTokenizerFast,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessor,
        SwinConfig,
    )

    from procvid.storage.pins import GROUNDING_DINO_TINY

    swin = SwinConfig(
        image_size=64,
        patch_size=4,
        embed_dim=16,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_indices=[2, 3, 4],
    )
    bert = {
        "model_type": "bert",
        "vocab_size": len(WORDS),
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
    }
    sizes = dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 64)
    sizes |= dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 2)
    sizes |= dict.fromkeys(("encoder_n_points", "decoder_n_points", "decoder_layers"), 2)
    config = GroundingDinoConfig(
        backbone_config=swin,
        text_config=bert,
        d_model=32,
        encoder_layers=1,
        num_queries=20,
        max_text_len=16,
        **sizes,
    )
    folder = tmp_path_factory.mktemp("grounding-dino")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        GroundingDinoForObjectDetection(config).save_pretrained(folder)
    tokenizer = BertTokenizerFast({word: index for index, word in enumerate(WORDS)})
    images = GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    # Saved separately, as in the published repositories: the processor would write another file.
    images.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    assert set(GROUNDING_DINO_TINY.files) <= {file.name for file in folder.iterdir()}
    return folder


@pytest.fixture(scope="session")
def published_clip_folder(tmp_path_factory) -> Path:
    """The files of a published open_clip model, with its own tokenizer, at a small width."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    config = {
        "embed_dim": 24,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 16,
        },
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 16,
            "heads": 2,
            "layers": 1,
        },
    }
    preprocess = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}
    folder = tmp_path_factory.mktemp("clip")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.CLIP(**config)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    facts = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(facts))
    return folder
