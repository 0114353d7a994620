"""Itera-Lite: a small recurrent language model with a state space and a mixture of experts, in PyTorch.

Shapes: B batch, S tokens, V vocab, H hidden, D inner, N state, K conv, F units of a feed-forward, E experts.
Every layer is a state-space block and a feed-forward; in the layers of `moe_layers` the latter is a mixture of experts.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Config:
    vocab_size: int
    hidden_size: int = 128
    inner_size: int = 192
    num_layers: int = 4
    state_size: int = 8
    conv_kernel: int = 4
    ffn_size: int = 64
    expert_size: int = 64
    num_experts: int = 4
    top_k: int = 2
    moe_layers: tuple = (1, 3)
    max_position_embeddings: int = 128
    layer_norm_eps: float = 1e-5
    load_balance_weight: float = 0.01
    tie_word_embeddings: bool = True


class StateSpace(nn.Module):
    """h[t] = exp(dt[t] A) h[t-1] + dt[t] B s[t],  y[t] = C h[t] + D s[t]; one step size dt a token, N decays."""

    def __init__(self, c):
        super().__init__()
        self.A_log = nn.Parameter(torch.linspace(-1.0, 2.0, c.state_size))
        self.B = nn.Parameter(torch.randn(c.state_size, c.inner_size) * c.inner_size**-0.5)
        self.C = nn.Parameter(torch.randn(c.inner_size, c.state_size) * c.state_size**-0.5)
        self.D = nn.Parameter(torch.ones(c.inner_size))
        self.delta_proj = nn.Linear(c.inner_size, c.inner_size)
        nn.init.constant_(self.delta_proj.bias, -2.0)

    def forward(self, s):  # [B, S, D] -> [B, S, D]
        dt = F.softplus(self.delta_proj(s)).mean(-1)  # [B, S]
        rates = -torch.exp(self.A_log)  # [N]
        # All steps at once: h[t] is the sum over r <= t of exp(A (T[t] - T[r])) dt[r] B s[r], T the running sum of dt.
        time = dt.cumsum(-1)
        elapsed = (time.unsqueeze(-1) - time.unsqueeze(-2)).tril()  # [B, t, r], never negative
        future = torch.ones(elapsed.shape[-2:], dtype=torch.bool, device=s.device).triu(1)
        decay = torch.exp(elapsed.unsqueeze(1) * rates.view(1, -1, 1, 1)).masked_fill(future, 0.0)  # [B, N, t, r]
        fed = (dt.unsqueeze(-1) * (s @ self.B.T)).transpose(1, 2).unsqueeze(-1)  # [B, N, r, 1]
        state = (decay @ fed).squeeze(-1).transpose(1, 2)  # [B, t, N]
        return state @ self.C.T + self.D * s


class Mixer(nn.Module):
    """Norm, gate, causal depthwise convolution, state space, projection; added to the residual stream."""

    def __init__(self, c):
        super().__init__()
        self.kernel = c.conv_kernel
        self.norm = nn.LayerNorm(c.hidden_size)
        self.in_proj = nn.Linear(c.hidden_size, 2 * c.inner_size, bias=False)
        self.conv1d = nn.Conv1d(c.inner_size, c.inner_size, c.conv_kernel, groups=c.inner_size)
        self.ssm = StateSpace(c)
        self.out_proj = nn.Linear(c.inner_size, c.hidden_size, bias=False)

    def forward(self, x):
        path, gate = self.in_proj(self.norm(x)).chunk(2, -1)
        path = F.pad(path.transpose(1, 2), (self.kernel - 1, 0))  # no token sees a later one
        path = F.silu(self.conv1d(path).transpose(1, 2))
        return x + self.out_proj(self.ssm(path) * F.silu(gate))


class FeedForward(nn.Module):
    def __init__(self, hidden, units):
        super().__init__()
        self.w1 = nn.Linear(hidden, units, bias=False)
        self.w2 = nn.Linear(units, hidden, bias=False)

    def forward(self, x):
        return self.w2(F.gelu(self.w1(x)))


class Router(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate = nn.Linear(c.hidden_size, c.num_experts, bias=False)
        self.register_buffer("expert_counts", torch.zeros(c.num_experts))


class Experts(nn.Module):
    """Each token goes through its `top_k` experts, weighted by a softmax over their scores alone."""

    def __init__(self, c):
        super().__init__()
        self.top_k, self.weight = c.top_k, c.load_balance_weight
        self.norm = nn.LayerNorm(c.hidden_size)
        self.router = Router(c)
        self.experts = nn.ModuleList(FeedForward(c.hidden_size, c.expert_size) for _ in range(c.num_experts))

    def forward(self, x):
        normed = self.norm(x)
        scores = self.router.gate(normed)  # [B, S, E]
        best, chosen = scores.topk(self.top_k, -1)
        shares = torch.zeros_like(scores).scatter(-1, chosen, best.softmax(-1))
        for e, expert in enumerate(self.experts):
            x = x + shares[..., e : e + 1] * expert(normed)
        if self.training:
            counts = (shares > 0).sum((0, 1)).to(self.router.expert_counts)
            self.router.expert_counts.mul_(0.9).add_(counts, alpha=0.1)
        load = scores.softmax(-1).mean((0, 1))
        return x, self.weight * (load.std() / (load.mean() + 1e-6)) ** 2


class Dense(nn.Module):
    """The feed-forward of a layer: `ffn` behind a norm, or `layer`, a mixture of experts."""

    def __init__(self, c, index):
        super().__init__()
        if index in c.moe_layers:
            self.layer = Experts(c)
        else:
            self.norm = nn.LayerNorm(c.hidden_size)
            self.ffn = FeedForward(c.hidden_size, c.ffn_size)

    def forward(self, x):
        if hasattr(self, "layer"):
            return self.layer(x)
        return x + self.ffn(self.norm(x)), 0.0


class Layer(nn.Module):
    def __init__(self, c, index):
        super().__init__()
        self.ssm = Mixer(c)
        self.moe = Dense(c, index)


class IteraLite(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embedding = nn.Embedding(c.vocab_size, c.hidden_size)
        self.position_embedding = nn.Embedding(c.max_position_embeddings, c.hidden_size)
        self.layers = nn.ModuleList(Layer(c, i) for i in range(c.num_layers))
        self.norm = nn.LayerNorm(c.hidden_size, eps=c.layer_norm_eps)
        self.lm_head = nn.Linear(c.hidden_size, c.vocab_size, bias=False)
        for name, parameter in self.named_parameters():
            if "embedding" in name or name.endswith(("proj.weight", "w1.weight", "w2.weight", "gate.weight")):
                nn.init.normal_(parameter, std=0.04)
        self.lm_head.weight = self.embedding.weight

    def forward(self, tokens):
        """Logits [B, S, V] for the token that follows each of `tokens` [B, S], and the router's penalty."""
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.embedding(tokens) + self.position_embedding(positions)
        penalty = 0.0
        for layer in self.layers:
            x, more = layer.moe(layer.ssm(x))
            penalty = penalty + more
        return self.lm_head(self.norm(x)), penalty
