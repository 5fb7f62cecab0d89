"""A small GPT, written for PyTorch: one jitted step, and one file that needs no source.

It learns to continue a text by itself, character by character. The step is forward,
loss, backward, clipping and AdamW with two groups of parameters: one program.
"""

import math
import tempfile
from pathlib import Path

import tracefuse as torch
from tracefuse import nn
from tracefuse.nn import functional as F

TEXT = (
    "the quick brown fox jumps over the lazy dog. "
    "pack my box with five dozen liquor jugs. "
) * 8
LENGTH, WIDTH, HEADS, LAYERS, BATCH = 32, 64, 4, 2, 16


class Attention(nn.Module):
    """Causal attention, spelled out: it is found in the SSA, not by its name."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.register_buffer("mask", torch.tril(torch.ones(LENGTH, LENGTH)))

    def forward(self, x):
        n, length, _ = x.shape
        parts = self.qkv(x).view(n, length, HEADS, -1).transpose(1, 2).chunk(3, -1)
        q, k, v = parts
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        scores = scores.masked_fill(self.mask[:length, :length] == 0, float("-inf"))
        y = F.softmax(scores, dim=-1) @ v
        return self.out(y.transpose(1, 2).contiguous().view(n, length, WIDTH))


class Block(nn.Module):
    """Attention, then two products; each beside its input."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Characters to scores of the next one; the embedding serves at both ends."""

    def __init__(self, count):
        super().__init__()
        self.tokens = nn.Embedding(count, WIDTH)
        self.places = nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, count, bias=False)
        self.tokens.weight = self.head.weight
        self.apply(self.start)

    @staticmethod
    def start(module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.05)

    def forward(self, ids):
        places = torch.arange(ids.shape[1])
        x = self.tokens(ids) + self.places(places)
        return self.head(self.norm(self.blocks(x)))


def batches(ids, steps):
    """Random windows of the text, and the same one character on."""
    for _ in range(steps):
        starts = torch.randint(len(ids) - LENGTH - 1, (BATCH,)).tolist()
        rows = [ids[i : i + LENGTH + 1] for i in starts]
        window = torch.stack(rows)
        yield window[:, :-1], window[:, 1:]


def train(model, ids, steps):
    """Cross entropy by AdamW; returns the losses."""
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}]
    groups.append({"params": others, "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, lr=3e-3, betas=(0.9, 0.95))

    @torch.jit
    def step(x, y):
        scores = model(x)
        loss = F.cross_entropy(scores.view(-1, scores.size(-1)), y.reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    losses = [step(x, y).item() for x, y in batches(ids, steps)]
    assert step.cache_info()["recordings"] <= 2, step.explain()
    return losses


@torch.no_grad()
def continued(model, ids, count):
    """The most probable next character, again and again."""
    for _ in range(count):
        scores = model(ids[:, -LENGTH:])
        ids = torch.cat((ids, scores[:, -1:].argmax(-1)), 1)
    return ids


def main():
    torch.manual_seed(0)
    letters = sorted(set(TEXT))
    ids = torch.tensor([letters.index(c) for c in TEXT])
    model = GPT(len(letters))
    losses = train(model, ids, 120)
    print(f"loss {losses[0]:.2f} -> {losses[-1]:.2f}")
    assert losses[-1] < 0.3

    length = torch.Dim("length", max=LENGTH)
    program = torch.jit.trace(
        model, (ids[None, :8],), dynamic_shapes={"ids": {1: length}}
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gpt.tracefuse"
        program.save(path)
        loaded = torch.jit.load(path)
    said = continued(loaded, ids[None, :10], 40)[0].tolist()
    text = "".join(letters[i] for i in said)
    print(repr(text))
    assert text in TEXT


if __name__ == "__main__":
    main()
