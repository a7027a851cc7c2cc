/* A string is a row of parts, of one to four kinds: words, digits, white space, scripts, marks,
 * emoji, control characters, code, LaTeX, spellings of special tokens, broken UTF-8, and so on.
 * Few kinds in one string let rules meet themselves (runs of blanks, of marks, of digits). */
#include "random_strings.h"

#include "base/random.h"
#include "text/text_internal.h"

#include <string.h>

struct range {
    int32_t first, last;
};

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Assigned after Unicode 14, which PCRE2 10.42 knows, and up to Unicode 16, which `tokenizers`
 * knows: letters to the one, nothing to the other. make_random_ids.py --newer prints them. */
static const struct range newer[] = {
    {0x897, 0x897},     {0xCF3, 0xCF3},     {0xECE, 0xECE},     {0x1B4E, 0x1B4F},
    {0x1B7F, 0x1B7F},   {0x1C89, 0x1C8A},   {0x2427, 0x2429},   {0x2FFC, 0x2FFF},
    {0x31E4, 0x31EF},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3},
    {0x10D40, 0x10D8F}, {0x10EC2, 0x10EFF}, {0x1123F, 0x11241}, {0x11380, 0x113E2},
    {0x116D0, 0x116E3}, {0x11B00, 0x11BF9}, {0x11F00, 0x11F5A}, {0x1342F, 0x1342F},
    {0x13439, 0x143FA}, {0x16100, 0x16139}, {0x16D40, 0x16D79}, {0x18CFF, 0x18CFF},
    {0x1B132, 0x1B132}, {0x1B155, 0x1B155}, {0x1CC00, 0x1CEB3}, {0x1D2C0, 0x1D2D3},
    {0x1DF25, 0x1DF2A}, {0x1E030, 0x1E08F}, {0x1E4D0, 0x1E5FF}, {0x1F6DC, 0x1F6DC},
    {0x1F774, 0x1F77F}, {0x1F7D9, 0x1F7D9}, {0x1F8B2, 0x1F8C1}, {0x1FA75, 0x1FA77},
    {0x1FA87, 0x1FA8F}, {0x1FAAD, 0x1FAAF}, {0x1FABB, 0x1FABF}, {0x1FAC6, 0x1FACF},
    {0x1FADA, 0x1FADF}, {0x1FAE8, 0x1FAE9}, {0x1FAF7, 0x1FAF8}, {0x1FBCB, 0x1FBEF},
    {0x2B739, 0x2B739}, {0x2EBF0, 0x2EE5D}, {0x31350, 0x323AF},
};

static const struct range scripts[] = {
    {0xC0, 0x24F},      {0x250, 0x2FF},     {0x370, 0x3FF},     {0x400, 0x52F},
    {0x531, 0x586},     {0x591, 0x5F4},     {0x600, 0x6FF},     {0x700, 0x74F},
    {0x780, 0x7B1},     {0x900, 0x97F},     {0x980, 0x9FE},     {0xA01, 0xA76},
    {0xB82, 0xBFA},     {0xC00, 0xC7F},     {0xD00, 0xD7F},     {0xE01, 0xE5B},
    {0xE81, 0xEDF},     {0xF00, 0xFDA},     {0x1000, 0x109F},   {0x10A0, 0x10FF},
    {0x1200, 0x139F},   {0x13A0, 0x13FD},   {0x1400, 0x167F},   {0x1780, 0x17F9},
    {0x1800, 0x18AA},   {0x1C80, 0x1CBF},   {0x1E00, 0x1FFF},   {0x2000, 0x206F},
    {0x2070, 0x20BF},   {0x2100, 0x218B},   {0x2190, 0x23FF},   {0x2460, 0x24FF},
    {0x2500, 0x27BF},   {0x2C00, 0x2DFF},   {0x2E80, 0x2FFB},   {0x3000, 0x303F},
    {0x3041, 0x309F},   {0x30A0, 0x30FF},   {0x3105, 0x318E},   {0x3200, 0x33FF},
    {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},
    {0xA640, 0xA6FF},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFB00, 0xFDFF},
    {0xFE10, 0xFE6F},   {0xFF00, 0xFFEF},   {0x10000, 0x1013F}, {0x10330, 0x1034A},
    {0x10400, 0x104FB}, {0x12000, 0x1246E}, {0x1D400, 0x1D7FF}, {0x1F100, 0x1F265},
    {0x20000, 0x2A6DF}, {0x2F800, 0x2FA1D},
};

/* What NFC orders, composes, takes apart or must leave alone. */
static const struct range canonical[] = {
    {0x41, 0x7A},       {0xC0, 0x17F},      {0x1A0, 0x1B0},     {0x300, 0x36F},
    {0x340, 0x345},     {0x483, 0x487},     {0x591, 0x5C7},     {0x5D0, 0x5EA},
    {0x622, 0x655},     {0x915, 0x95F},     {0x9C7, 0x9DF},     {0xDCA, 0xDDF},
    {0xF40, 0xFB9},     {0x1025, 0x103A},   {0x1100, 0x11FF},   {0x1160, 0x11C2},
    {0xAC00, 0xAC40},   {0x1AB0, 0x1ACE},   {0x1DC0, 0x1DFF},   {0x1E00, 0x1FFF},
    {0x20D0, 0x20F0},   {0x2126, 0x212B},   {0x304B, 0x309A},   {0xFB1D, 0xFB4E},
    {0xFE20, 0xFE2F},   {0x1D15E, 0x1D185}, {0x110BA, 0x110BA}, {0x11930, 0x11943},
    {0x1E130, 0x1E136}, {0x2F800, 0x2FA1D},
};

static const struct range spaces[] = {
    {0x9, 0xD},       {0x20, 0x20},     {0x20, 0x20},     {0x20, 0x20},
    {0x9, 0xA},       {0xD, 0xD},       {0x85, 0x85},     {0xA0, 0xA0},
    {0x1680, 0x1680}, {0x180E, 0x180E}, {0x2000, 0x200D}, {0x2028, 0x2029},
    {0x202F, 0x202F}, {0x205F, 0x2060}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF},
};

static const struct range controls[] = {
    {0x0, 0x1F},      {0x7F, 0x9F},     {0xAD, 0xAD},       {0x200B, 0x200F}, {0x202A, 0x202E},
    {0x2060, 0x206F}, {0xFFF0, 0xFFFF}, {0xE0001, 0xE007F}, {0xFE00, 0xFE0F}, {0xE000, 0xE010},
};

static const struct range pictures[] = {
    {0x1F300, 0x1F6D7}, {0x1F600, 0x1F64F}, {0x1F90C, 0x1F9FF}, {0x1FA70, 0x1FA74},
    {0x2600, 0x27BF},   {0x1F1E6, 0x1F1FF}, {0x1F3FB, 0x1F3FF}, {0x2190, 0x21FF},
};

static const char *const words[] = {
    "the",     "and",    "Let",           "of",   "x",      "answer", "Therefore", "solution",
    "number",  "equals", "ABC",           "HTTP", "iPhone", "naive",  "triangle",  "perimeter",
    "because", "wait",   "Alternatively", "hmm",  "sum",    "LaTeX",  "FooBar",    "snake_case",
};

static const char *const contractions[] = {
    "'s",        "'t",     "'re",  "'ve", "'m",
    "'ll",       "'d",     "'S",   "'T",  "'RE",
    "'Ve",       "'LL",    "'lL",  "'D",  "\xE2\x80\x99s",
    "'\xC5\xBF", "''s",    "'",    "I'm", "don't",
    "we'll've",  "O'Neil", "'tis", "s'",  " 's",
    " 'll",      "'s1",
};

static const char *const code[] = {
    "def f(x):\n    return x",
    "if (a[i] != 0) {\n\t",
    "}\n\n",
    "    ",
    "->",
    "=>",
    "::",
    "//",
    "/* x */",
    "#include <stdio.h>\n",
    "\"\\n\"",
    "&&",
    "x += 1;\n",
    "self.__init__(",
    ")",
    "{",
    "}",
    "[0]",
    "\r\n",
    "\t\t",
    "<div class=\"a\">",
    "</p>",
    "0x1F",
    "1e-9",
    "--flag",
    "https://a.b/c?d=e&f=%20",
    "`",
    "_",
    "@",
    "$HOME",
    "====",
    "----",
    "...",
    "!!",
    ";",
    "\\",
};

static const char *const latex[] = {
    "\\frac{",
    "\\boxed{",
    "}",
    "{",
    "$",
    "$$",
    "\\sqrt[3]{",
    "^{2}",
    "_{n+1}",
    "\\cdot",
    "\\[",
    "\\]",
    "\\(",
    "\\)",
    "\\begin{align*}\n",
    "\\end{align*}\n",
    "&=",
    "\\\\\n",
    "\\pi",
    "\\text{ cm}",
    "\\left(",
    "\\right)",
    "\\pmod{7}",
    "\\le",
    "\\%",
    "x^2+y^2=z^2",
    "\\circ",
    "\\dots",
};

static const char *const special[] = {
    "<|im_end|>",
    "<|im_start|>",
    "<|endoftext|>",
    "<|begin_of_text|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<s>",
    "</s>",
    "<unk>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<|im_end",
    "<|",
    "|>",
    "<|im_end|",
    "im_end|>",
    "<|im_<|im_end|>",
    "[INST]",
    "[/INST]",
    "<0x0A>",
    "\xE2\x96\x81",
    "\xC4\xA0",
    "<|fim_prefix|>",
    "<|vision_start|>",
    "<|reserved_special_token_7|>",
};

struct writer {
    char *text;
    size_t size;
    uint64_t key, drawn;
};

static uint32_t below(struct writer *writer, size_t bound) {
    return ps_random_below(writer->key, writer->drawn++, (uint32_t)bound);
}

static void put_bytes(struct writer *writer, const char *bytes, size_t size) {
    if (size > RANDOM_STRING_MOST - writer->size) return;
    memcpy(writer->text + writer->size, bytes, size);
    writer->size += size;
}

static bool is_newer(int32_t c) {
    for (size_t i = 0; i < LENGTH(newer); i++)
        if (c >= newer[i].first && c <= newer[i].last) return true;
    return false;
}

static void put(struct writer *writer, int32_t c) {
    char bytes[4];
    if (!is_newer(c) && (c < 0xD800 || c > 0xDFFF)) put_bytes(writer, bytes, ps_utf8_put(c, bytes));
}

static void put_range(struct writer *writer, struct range range) {
    put(writer, range.first + (int32_t)below(writer, (size_t)(range.last - range.first + 1)));
}

#define PICK(writer, array)      (array)[below(writer, LENGTH(array))]
#define PUT_PICK(writer, array)  put_text(writer, PICK(writer, array))
#define PUT_RANGE(writer, array) put_range(writer, PICK(writer, array))

static void put_text(struct writer *writer, const char *text) {
    put_bytes(writer, text, strlen(text));
}

/* ---- the kinds of parts ---- */

static void put_word(struct writer *writer) {
    if (below(writer, 2)) put(writer, ' ');
    if (below(writer, 2)) {
        PUT_PICK(writer, words);
        return;
    }
    uint32_t letters = 1 + below(writer, 10), style = below(writer, 3);
    for (uint32_t i = 0; i < letters; i++)
        put(writer, (style == 0 || (style == 1 && i == 0) ? 'A' : 'a') + (int)below(writer, 26));
}

static void put_digits(struct writer *writer) {
    static const char between[] = ",. -/%+=";
    for (uint32_t left = 1 + below(writer, 9); left > 0; left--)
        put(writer, '0' + (int)below(writer, 10));
    if (below(writer, 3) == 0) put(writer, between[below(writer, sizeof between - 1)]);
    if (below(writer, 12) == 0) put_range(writer, (struct range){0x660, 0x669});
}

static void put_ascii(struct writer *writer) {
    for (uint32_t left = 1 + below(writer, 6); left > 0; left--)
        put_range(writer, (struct range){0x20, 0x7E});
}

static void put_spaces(struct writer *writer) {
    if (below(writer, 2)) {
        uint32_t times = 1 + below(writer, 8);
        const struct range range = PICK(writer, spaces);
        while (times-- > 0) put(writer, range.first);
    } else {
        PUT_RANGE(writer, spaces);
    }
}

static void put_contraction(struct writer *writer) {
    if (below(writer, 2)) put_word(writer);
    PUT_PICK(writer, contractions);
}

static void put_script(struct writer *writer) {
    const struct range range = PICK(writer, scripts);
    if (below(writer, 4) == 0) put(writer, ' ');
    for (uint32_t left = 1 + below(writer, 8); left > 0; left--) put_range(writer, range);
}

static void put_canonical(struct writer *writer) {
    for (uint32_t left = 1 + below(writer, 5); left > 0; left--) PUT_RANGE(writer, canonical);
}

/* Pictures, alone or joined by U+200D, with skin tones, variation selectors, keycaps, flags. */
static void put_emoji(struct writer *writer) {
    uint32_t joined = below(writer, 3) == 0 ? 2 + below(writer, 3) : 1;
    for (uint32_t i = 0; i < joined; i++) {
        if (i > 0) put(writer, 0x200D);
        PUT_RANGE(writer, pictures);
        if (below(writer, 4) == 0) put_range(writer, (struct range){0x1F3FB, 0x1F3FF});
        if (below(writer, 4) == 0) put(writer, 0xFE0F);
    }
    if (below(writer, 8) == 0) put_text(writer, "3\xEF\xB8\x8F\xE2\x83\xA3");
    if (below(writer, 8) == 0) put_text(writer, "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA");
}

static void put_control(struct writer *writer) {
    PUT_RANGE(writer, controls);
}

static void put_code(struct writer *writer) {
    PUT_PICK(writer, code);
}

static void put_latex(struct writer *writer) {
    PUT_PICK(writer, latex);
}

static void put_special(struct writer *writer) {
    if (below(writer, 3) == 0) put(writer, ' ');
    PUT_PICK(writer, special);
}

/* Bytes that are no UTF-8: stray ones, or the beginning of a character. */
static void put_broken(struct writer *writer) {
    size_t before = writer->size;
    if (below(writer, 2)) {
        char byte = (char)(0x80 + below(writer, 0x80));
        put_bytes(writer, &byte, 1);
        return;
    }
    PUT_RANGE(writer, scripts);
    if (writer->size > before + 1) writer->size -= 1 + below(writer, writer->size - before - 1);
}

static void put_any(struct writer *writer) {
    put_range(writer, below(writer, 2) ? (struct range){0, 0xFFFF} : (struct range){0, 0x10FFFF});
}

size_t random_string(uint64_t number, char text[RANDOM_STRING_MOST]) {
    static void (*const kinds[])(struct writer *) = {
        put_word,        put_word,   put_digits,  put_ascii,     put_spaces, put_spaces,
        put_contraction, put_script, put_script,  put_canonical, put_emoji,  put_control,
        put_code,        put_latex,  put_special, put_broken,    put_any,
    };
    struct writer writer = {.text = text, .key = ps_random_key(number, "random strings")};
    size_t chosen[4], kind_count = 1 + below(&writer, 4), size = below(&writer, 201);
    for (size_t i = 0; i < kind_count; i++) chosen[i] = below(&writer, LENGTH(kinds));
    while (writer.size < size) kinds[chosen[below(&writer, kind_count)]](&writer);
    /* Broken bytes may have come together as a character that is newer. */
    size_t length, i = 0;
    for (int32_t c; i < writer.size; i += length) {
        length = ps_utf8_next(text + i, writer.size - i, &c, NULL);
        if (is_newer(c)) break;
    }
    return i;
}
