"""Scores token ids with `potstill model score` and with transformers, and compares.

    python tests/golden/compare_score.py POTSTILL MODEL [TEXTS]       (torch, transformers)

MODEL is a Hugging Face folder, such as runs/NAME/student/model; that transformers loads it is part
of the test. TEXTS is a file with one text a line, which the folder's tokenizer encodes;
without it random ids are scored, of 1 to 200 tokens. transformers computes in float32, potstill in
the model's own type. For each position of the sequences the log-probability of the next token is
compared, and so are those of the five best.

For weights in F32 it fails when a log-probability differs by more than 1e-3. Arithmetic in BF16
rounds at each layer; there the measure is how far transformers itself is from float32 when it
computes in BF16, and the mean difference must not be more than 1.5 times that.
"""
import json
import random
import subprocess
import sys

import torch
import transformers

TOP = 5


def sequences(folder, texts, vocabulary, positions):
    if texts:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        lines = [line.rstrip("\n") for line in open(texts, encoding="utf-8") if line.strip()]
        return [tokenizer.encode(line, add_special_tokens=False)[:positions] for line in lines]
    choose = random.Random(17)
    lengths = [min(choose.randint(1, 200), positions) for _ in range(32)]
    return [[choose.randrange(vocabulary) for _ in range(length)] for length in lengths]


def ours(potstill, folder, rows):
    lines = "".join(json.dumps({"ids": ids, "top": TOP}) + "\n" for ids in rows)
    done = subprocess.run([potstill, "model", "score", folder, "--jsonl"], input=lines, text=True,
                          stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def theirs(model, ids):
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].float()
    return torch.log_softmax(logits, -1)


def mean(values):
    return sum(values) / len(values)


def main():
    potstill, folder = sys.argv[1:3]
    load = transformers.AutoModelForCausalLM.from_pretrained
    exact, rounded = load(folder, dtype=torch.float32), load(folder, dtype="auto")
    config = exact.config
    rows = sequences(folder, sys.argv[3] if len(sys.argv) > 3 else None, config.vocab_size,
                     config.max_position_embeddings)
    rows = [ids for ids in rows if ids]
    answers = ours(potstill, folder, rows)
    if len(answers) != len(rows):
        sys.exit(f"{len(answers)} answers for {len(rows)} lines")
    own, their_own, scores, best = [], [], [], 0
    for ids, answer in zip(rows, answers):
        if "error" in answer:
            sys.exit(answer["error"])
        expected, coarse = theirs(exact, ids), theirs(rounded, ids)
        for at in range(1, len(ids)):
            row = at - 1  # of the logits that predict token `at`
            pairs = [(ids[at], answer["logprobs"][at])] + answer["top"][at]
            own += [abs(value - expected[row, token].item()) for token, value in pairs]
            their_own += [abs(coarse[row, token].item() - expected[row, token].item())
                          for token, _ in pairs]
            scores.append((pairs[0][1], expected[row, ids[at]].item()))
            best += pairs[1][0] == expected[row].argmax().item()
    print(f"{folder} ({rounded.dtype}): {len(rows)} sequences, {len(scores)} tokens")
    print(f"log-probabilities differ by {mean(own):.2e} in the mean, {max(own):.2e} at most "
          f"(transformers in that type: {mean(their_own):.2e}, {max(their_own):.2e})")
    print("mean log-probability {:.6f}, transformers {:.6f}".format(*map(mean, zip(*scores))))
    print(f"the likeliest token is the same at {best} of {len(scores)} positions")
    if rounded.dtype == torch.float32 and max(own) > 1e-3:
        sys.exit("a difference is above 1e-3")
    if rounded.dtype != torch.float32 and mean(own) > 1.5 * mean(their_own):
        sys.exit("the mean difference is above 1.5 times that of transformers")


if __name__ == "__main__":
    main()
