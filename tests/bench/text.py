#!/usr/bin/env python3
"""Encoding by potstill beside the `tokenizers` library, in turn, one thread each, in processor time.

    text.py PROGRAM SHARED [--rounds 5] [--tokenizers qwen2.5 llama-3 ...]

PROGRAM is build/pipelines/potstill, SHARED the folder with data/. The texts: every string of GSM8K and
MATH-500, one by one; 10 MB in many languages (sentences of this file and of the data, shuffled by a
fixed seed), cut into documents of some 2 KB; and the same as one text. Both sides warm their caches of
words once; the median of the rounds counts. Prints a table in Markdown.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers

FILES = {
    "qwen2.5": "qwen2.5/tokenizer.reconstructed.json",
    "llama-3": "llama-3/tokenizer.reconstructed.json",
    "gpt2": "gpt2/tokenizer.reconstructed.json",
    "mistral-7b-v0.x": "mistral-7b-v0.x/tokenizer.json",
}
MIXED_BYTES = 10_000_000

# Words to make sentences of, so that no two are the same; the last entry ends a sentence.
LANGUAGES = [
    ("der die das Haus Straße größer fährt morgen Zahlen Übung weil über schön Mädchen nicht", " ", ". "),
    ("le la maison élève déjà où garçon être nombre français année œuvre naïf l'été c'est", " ", ". "),
    ("el niño mañana número también corazón está años señor pingüino qué según acción", " ", ". "),
    ("дом число который сегодня решение задача больше меньше человек время почему ответ", " ", ". "),
    ("αριθμός λύση ερώτηση σήμερα μεγάλος μικρός άνθρωπος χρόνος γιατί απάντηση", " ", ". "),
    ("số học sinh bài toán hôm nay lớn hơn nhỏ người thời gian tại sao trả lời", " ", ". "),
    ("数学 问题 我们 今天 解答 时间 为什么 一个 学生 计算 结果 等于 因此 所以 老师", "", "。"),
    ("すうがく 問題 今日 学生 計算 けっか です ます 時間 なぜ こたえ カタカナ テスト は を", "", "。"),
    ("수학 문제 오늘 학생 계산 결과 시간 대답 왜냐하면 그래서 선생님 하나 둘", " ", ". "),
    ("العدد سؤال اليوم حل أكبر أصغر إنسان وقت لماذا جواب مدرسة كتاب", " ", "؟ "),
    ("מספר שאלה היום פתרון גדול קטן אדם זמן למה תשובה ספר", " ", ". "),
    ("संख्या प्रश्न आज हल बड़ा छोटा मनुष्य समय क्यों उत्तर विद्यालय किताब", " ", "। "),
    ("จำนวน คำถาม วันนี้ คำตอบ ใหญ่ เล็ก คน เวลา ทำไม โรงเรียน", "", " "),
    ("for if return x += 1; int main(void) { } array[i] == NULL self.value def lambda: None", " ", "\n    "),
    ("😀 🎉 👩‍💻 🇩🇪 👍🏽 ❤️ ✅ 🚀 ☕ 3️⃣", " ", "! "),
    ("\\frac{1}{2} \\sqrt{x} $a^2+b^2$ \\boxed{42} \\le \\cdot (x+1) 3.14159 1,000,000 2^{10} =", " ", "\n\n"),
]


def data_texts(shared):
    for name in ("gsm8k/test.jsonl", "gsm8k/train.jsonl", "math/math500.jsonl"):
        with open(f"{shared}/data/{name}", encoding="utf-8") as file:
            for line in file:
                yield from (v for v in json.loads(line).values() if isinstance(v, str))


def mixed_documents(shared):
    """Half from the data, half from the words above."""
    draw = random.Random(1)
    known = list(data_texts(shared))
    total = 0
    while total < MIXED_BYTES:
        parts, size = [], 0
        while size < 2000:
            if draw.random() < 0.5:
                part = draw.choice(known) + "\n"
            else:
                words, blank, end = draw.choice(LANGUAGES)
                words = words.split()
                sentences = range(draw.randint(1, 8))
                part = "".join(
                    blank.join(draw.choices(words, k=draw.randint(4, 16))) + end for _ in sentences
                )
            parts.append(part)
            size += len(part.encode())
        total += size
        yield "".join(parts)


def write_texts(shared, folder):
    data, mixed = list(data_texts(shared)), list(mixed_documents(shared))
    kinds = {
        "GSM8K and MATH-500": (f"{folder}/data.jsonl", data),
        "10 MB mixed, in documents": (f"{folder}/mixed.jsonl", mixed),
        "10 MB mixed, as one text": (f"{folder}/mixed.txt", ["".join(mixed)]),
    }
    for path, texts in kinds.values():
        with open(path, "w", encoding="utf-8", newline="") as file:
            if path.endswith(".txt"):
                file.write(texts[0])
            else:
                file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    return kinds


def library_pass(tokenizer, texts):
    start = time.process_time()
    count = sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)
    return time.process_time() - start, count


def measure(options, name, path, texts):
    file = f"{options.shared}/data/tokenizers/{FILES[name]}"
    library = tokenizers.Tokenizer.from_file(file)
    megabytes = 1e-6 * sum(len(text.encode()) for text in texts)
    command = [options.program, "bench", "text", "--tokenizer", file, "--clock", "cpu", "--json"]
    command += ["--rounds", "3", path]
    _, count = library_pass(library, texts)
    ours, theirs = [], []
    for _ in range(options.rounds):
        result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        assert result["tokens"] == count, (result["tokens"], count)
        ours.append(result["mb_per_second"])
        theirs.append(megabytes / library_pass(library, texts)[0])
    return statistics.median(ours), statistics.median(theirs)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("program")
    parser.add_argument("shared")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokenizers", nargs="+", choices=FILES, default=list(FILES))
    options = parser.parse_args()
    print(f"tokenizers {tokenizers.__version__}, {options.rounds} rounds\n")
    print("| tokenizer | texts | potstill | tokenizers | ratio |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind, (path, texts) in write_texts(options.shared, folder).items():
            for name in options.tokenizers:
                ours, theirs = measure(options, name, path, texts)
                row = f"| {name} | {kind} | {ours:.1f} MB/s | {theirs:.2f} MB/s | {ours / theirs:.1f} |"
                print(row, flush=True)


main()
