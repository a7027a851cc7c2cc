"""Makes compute.json: AdamW steps and the top-k divergence as PyTorch computes them.

Run as: python3 tests/golden/make_compute.py > tests/golden/compute.json
"""
import json
import torch

torch.manual_seed(11)


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.detach().flatten().tolist()]


def adamw():
    """Ten steps of torch.optim.AdamW in float32 on given gradients."""
    settings = dict(lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1)
    w = torch.nn.Parameter(torch.randn(6))
    start = numbers(w)
    optimizer = torch.optim.AdamW([w], **settings)
    gradients, weights = [], []
    for step in range(10):
        w.grad = torch.randn(6) * (0.01 if step % 3 else 3.0)
        gradients.append(numbers(w.grad))
        optimizer.step()
        weights.append(numbers(w))
    return dict(start=start, gradients=gradients, weights=weights, lr=1e-2, beta1=0.9, beta2=0.999,
                epsilon=1e-8, weight_decay=0.1)


def divergence():
    """cross entropy + T^2 KL(teacher's renormalised top-k || student), in float64."""
    rows, width, vocabulary, k, temperature = 5, 4, 9, 3, 2.0
    cross_entropy, weight, scale = 0.25, 0.75, 0.2
    x = torch.randn(rows, width).double().requires_grad_()
    head = torch.randn(vocabulary, width).double().requires_grad_()
    targets = torch.randint(vocabulary, (rows,))
    teacher = torch.log_softmax(torch.randn(rows, vocabulary).double() * 2, -1)
    log_p, ids = teacher.topk(k)
    log_p = torch.tensor(numbers(log_p)).double().view(rows, k)
    x.data = torch.tensor(numbers(x)).double().view(rows, width)
    head.data = torch.tensor(numbers(head)).double().view(vocabulary, width)

    logits = x @ head.T
    hard = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    student = torch.log_softmax(logits / temperature, -1).gather(1, ids)
    log_q = torch.log_softmax(log_p / temperature, -1)
    soft = torch.nn.functional.kl_div(student, log_q, reduction="none", log_target=True).sum(-1)
    losses = cross_entropy * hard + weight * temperature**2 * soft
    (scale * losses.sum()).backward()
    return dict(rows=rows, width=width, vocabulary=vocabulary, k=k, temperature=temperature,
                cross_entropy=cross_entropy, divergence=weight, scale=scale, x=numbers(x),
                head=numbers(head), targets=targets.tolist(), ids=ids.flatten().tolist(),
                log_probabilities=numbers(log_p), losses=numbers(losses), dx=numbers(x.grad),
                dhead=numbers(head.grad))


print(json.dumps(dict(torch=torch.__version__, adamw=adamw(), divergence=divergence()), indent=1))
