"""Tiny random Qwen3 and Qwen3-MoE folders and what PyTorch computes with them.

    python tests/golden/make_models.py          (torch, transformers, safetensors)

Writes tests/golden/models/NAME/: config.json, generation_config.json, model.safetensors (F32) and
golden.safetensors with, for the rows of `tokens` packed as sequences that begin at `starts`:
    logits          [rows, V]   each sequence by itself
    loss            []          mean cross-entropy over targets >= 0, plus the router's loss
    load_balance    []          the router's loss before router_aux_loss_coef (MoE)
    gradient.NAME               of `loss` for each parameter
    step10.NAME                 parameters after ten AdamW steps on that batch
AdamW: lr 1e-3, betas 0.9 0.95, eps 1e-8, weight decay 0.1 on matrices and none on vectors, no
clipping. Sequence lengths are chosen so that one crosses a block of 128 positions.
"""
import os

import torch
import transformers
from safetensors.torch import save_file

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "models")
LENGTHS = [5, 139, 1, 16]
COMMON = dict(
    vocab_size=67, hidden_size=24, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=8, intermediate_size=40, max_position_embeddings=256,
    rms_norm_eps=1e-6, rope_theta=10000.0, initializer_range=0.2, bos_token_id=1,
    eos_token_id=[2, 3], pad_token_id=None, attn_implementation="eager",
)


def dense():
    return transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(**COMMON, tie_word_embeddings=True, architectures=None))


def sparse():
    return transformers.Qwen3MoeForCausalLM(
        transformers.Qwen3MoeConfig(
            **{**COMMON, "num_hidden_layers": 3}, tie_word_embeddings=False, num_experts=6,
            num_experts_per_tok=2, moe_intermediate_size=16, norm_topk_prob=True,
            mlp_only_layers=[1], decoder_sparse_step=1, router_aux_loss_coef=0.01,
            output_router_logits=True))


def perturb(model):
    """Norm weights apart from 1, so that a forgotten one shows."""
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.data += 0.2 * torch.randn_like(parameter)


def load_balance(router_logits, experts, per_token):
    """Switch Transformer, equation 4, over all tokens and MoE layers together, as transformers
    has it: E * sum over experts of (assignments / tokens) * (mean probability)."""
    probabilities = torch.softmax(torch.cat(router_logits), dim=-1)
    chosen = torch.topk(probabilities, per_token, dim=-1).indices
    share = torch.nn.functional.one_hot(chosen, experts).float().mean(dim=0)
    return experts * (share * probabilities.mean(dim=0).unsqueeze(0)).sum()


def run(model, tokens, targets):
    config = model.config
    sequences = torch.split(tokens, LENGTHS)
    outputs = [model.model(input_ids=s.unsqueeze(0)) for s in sequences]
    hidden = torch.cat([o.last_hidden_state[0] for o in outputs])
    logits = model.lm_head(hidden)
    loss = torch.nn.functional.cross_entropy(logits, targets, ignore_index=-100)
    balance = None
    if getattr(config, "num_experts", 0):
        whole = [model(input_ids=s.unsqueeze(0), output_router_logits=True) for s in sequences]
        layers = len(whole[0].router_logits)
        router = [torch.cat([w.router_logits[i] for w in whole]) for i in range(layers)]
        balance = load_balance(router, config.num_experts, config.num_experts_per_tok)
        loss = loss + config.router_aux_loss_coef * balance
    return logits, loss, balance


def checkpoint(model, folder):
    """Names and layout as on disk (transformers packs experts in memory)."""
    model.save_pretrained(folder, safe_serialization=True)


def named(model, values):
    """Values by parameter, under the names and in the layout of the checkpoint."""
    import copy
    import tempfile
    from safetensors.torch import load_file
    carrier = copy.deepcopy(model)
    for (_, parameter), value in zip(carrier.named_parameters(), values):
        parameter.data = value.clone()
    with tempfile.TemporaryDirectory() as folder:
        carrier.save_pretrained(folder)
        return load_file(os.path.join(folder, "model.safetensors"))


def make(name, build, seed):
    torch.manual_seed(seed)
    model = build().float()
    perturb(model)
    model.eval()
    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    checkpoint(model, folder)
    tokens = torch.randint(0, COMMON["vocab_size"], (sum(LENGTHS),))
    targets = torch.randint(0, COMMON["vocab_size"], (sum(LENGTHS),))
    targets[::3] = -100
    starts = torch.tensor([sum(LENGTHS[:i]) for i in range(len(LENGTHS) + 1)], dtype=torch.int32)
    golden = {"tokens": tokens.int(), "targets": torch.where(targets < 0, -1, targets).int(),
              "starts": starts}
    logits, loss, balance = run(model, tokens, targets)
    golden["logits"], golden["loss"] = logits.detach(), loss.detach()
    if balance is not None:
        golden["load_balance"] = balance.detach()
    loss.backward()
    for key, value in named(model, [p.grad for p in model.parameters()]).items():
        golden["gradient." + key] = value
    matrices = [p for n, p in model.named_parameters() if p.dim() > 1]
    vectors = [p for n, p in model.named_parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
    for _ in range(10):
        optimizer.zero_grad()
        _, loss, _ = run(model, tokens, targets)
        loss.backward()
        optimizer.step()
    for key, value in named(model, [p.data for p in model.parameters()]).items():
        golden["step10." + key] = value
    save_file({k: v.contiguous() for k, v in golden.items()},
              os.path.join(folder, "golden.safetensors"))


if __name__ == "__main__":
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    make("qwen3", dense, 1)
    make("qwen3_moe", sparse, 2)
