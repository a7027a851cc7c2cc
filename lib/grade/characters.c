/* Unicode characters of mathematics, what they are in TeX, and TeX commands that are others. */
#include "grade/answer_internal.h"

#include <string.h>

static const struct {
    int32_t point;
    const char *becomes;
} characters[] = {
    /* signs */
    {0x2212, "-"},
    {0x2010, "-"},
    {0x2011, "-"},
    {0x2013, "-"},
    {0x2044, "/"},
    {0x2215, "/"},
    {0xFF0F, "/"},
    {0xFF0B, "+"},
    {0xFF0D, "-"},
    {0xFF05, "%"},
    {0xFF1D, "="},
    {0xFF0C, ","},
    {0xFF08, "("},
    {0xFF09, ")"},
    {0xFF1A, ":"},
    {0x2236, ":"},
    {0x00D7, "\\times"},
    {0x2217, "*"},
    {0x00B7, "\\cdot"},
    {0x22C5, "\\cdot"},
    {0x2219, "\\cdot"},
    {0x2022, "\\cdot"},
    {0x00F7, "\\div"},
    {0x00B1, "\\pm"},
    {0x2213, "\\mp"},
    {0x2264, "\\le"},
    {0x2265, "\\ge"},
    {0x2A7D, "\\le"},
    {0x2A7E, "\\ge"},
    {0x2260, "\\ne"},
    {0x2248, "\\approx"},
    {0x2261, "\\equiv"},
    {0x2208, "\\in"},
    {0x222A, "\\cup"},
    {0x2229, "\\cap"},
    {0x2216, "\\setminus"},
    {0x2205, "\\emptyset"},
    {0x221E, "\\infty"},
    {0x2026, "\\ldots"},
    {0x22EF, "\\ldots"},
    {0x27E8, "("},
    {0x27E9, ")"},
    {0x230A, "\\lfloor"},
    {0x230B, "\\rfloor"},
    {0x2308, "\\lceil"},
    {0x2309, "\\rceil"},
    {0x2220, "\\angle"},
    {0x25B3, "\\triangle"},
    {0x211D, "\\mathbb{R}"},
    {0x2124, "\\mathbb{Z}"},
    {0x2115, "\\mathbb{N}"},
    {0x211A, "\\mathbb{Q}"},
    {0x2102, "\\mathbb{C}"},
    {0x2018, "'"},
    {0x2019, "'"},
    {0x2032, "'"},
    {0x2033, "''"},
    {0x201C, "\""},
    {0x201D, "\""},
    {0x200B, ""},
    {0x2060, ""},
    {0x2061, ""},
    {0xFEFF, ""},
    /* letters */
    {0x03B1, "\\alpha"},
    {0x03B2, "\\beta"},
    {0x03B3, "\\gamma"},
    {0x03B4, "\\delta"},
    {0x03B5, "\\epsilon"},
    {0x03B8, "\\theta"},
    {0x03BB, "\\lambda"},
    {0x03BC, "\\mu"},
    {0x03C0, "\\pi"},
    {0x03C1, "\\rho"},
    {0x03C3, "\\sigma"},
    {0x03C6, "\\phi"},
    {0x03D5, "\\phi"},
    {0x03C9, "\\omega"},
    {0x0394, "\\Delta"},
    /* fractions */
    {0x00BD, "\\frac{1}{2}"},
    {0x00BC, "\\frac{1}{4}"},
    {0x00BE, "\\frac{3}{4}"},
    {0x2153, "\\frac{1}{3}"},
    {0x2154, "\\frac{2}{3}"},
    {0x2155, "\\frac{1}{5}"},
    {0x2156, "\\frac{2}{5}"},
    {0x2157, "\\frac{3}{5}"},
    {0x2158, "\\frac{4}{5}"},
    {0x2159, "\\frac{1}{6}"},
    {0x215A, "\\frac{5}{6}"},
    {0x215B, "\\frac{1}{8}"},
    {0x215C, "\\frac{3}{8}"},
    {0x215D, "\\frac{5}{8}"},
    {0x215E, "\\frac{7}{8}"},
};

const char *ps_answer_character(int32_t point) {
    for (size_t i = 0; i < sizeof characters / sizeof characters[0]; i++)
        if (characters[i].point == point) return characters[i].becomes;
    return NULL;
}

char ps_answer_raised(int32_t point) {
    if (point == 0xB2 || point == 0xB3) return (char)('2' + (point - 0xB2));
    if (point == 0xB9) return '1';
    if (point == 0x2070 || (point >= 0x2074 && point <= 0x2079))
        return (char)('0' + point - 0x2070);
    return point == 0x207A ? '+' : point == 0x207B ? '-' : point == 0x207F ? 'n' : 0;
}

char ps_answer_lowered(int32_t point) {
    return point >= 0x2080 && point <= 0x2089 ? (char)('0' + point - 0x2080) : 0;
}

/* ---- commands ---- */

static const struct {
    const char *name, *becomes; /* "": dropped */
} commands[] = {
    {"left", ""},
    {"right", ""},
    {"big", ""},
    {"Big", ""},
    {"bigl", ""},
    {"bigr", ""},
    {"Bigl", ""},
    {"Bigr", ""},
    {"bigg", ""},
    {"Bigg", ""},
    {"biggl", ""},
    {"biggr", ""},
    {"middle", ""},
    {"limits", ""},
    {"nolimits", ""},
    {"displaystyle", ""},
    {"textstyle", ""},
    {"rm", ""},
    {"bf", ""},
    {"it", ""},
    {"newline", " "},
    {"quad", " "},
    {"qquad", " "},
    {"thinspace", " "},
    {"enspace", " "},
    {"space", " "},
    {"nobreakspace", " "},
    {"leq", "\\le"},
    {"geq", "\\ge"},
    {"neq", "\\ne"},
    {"leqslant", "\\le"},
    {"geqslant", "\\ge"},
    {"leqq", "\\le"},
    {"geqq", "\\ge"},
    {"lbrace", "\\{"},
    {"rbrace", "\\}"},
    {"lbrack", "["},
    {"rbrack", "]"},
    {"langle", "("},
    {"rangle", ")"},
    {"degree", "°"},
    {"lvert", "|"},
    {"rvert", "|"},
    {"vert", "|"},
    {"percent", "%"},
    {"ast", "*"},
    {"lt", "<"},
    {"gt", ">"},
    {"colon", ":"},
    {"ratio", ":"},
    {"slash", "/"},
    {"dollar", "$"},
    {"textdollar", "$"},
    {"pounds", "£"},
    {"euro", "€"},
    {"prime", "'"},
    {"dots", "\\ldots"},
    {"dotsc", "\\ldots"},
    {"cdots", "\\ldots"},
    {"simeq", "\\approx"},
    {"doteq", "\\approx"},
    {"thickapprox", "\\approx"},
    {"bullet", "\\cdot"},
    {"land", "\\wedge"},
    {"lor", "\\vee"},
    {"cr", "\\\\"},
    {"infin", "\\infty"},
    {"varnothing", "\\emptyset"},
    {"empty", "\\emptyset"},
    {"backslash", "\\setminus"},
    {"smallsetminus", "\\setminus"},
    {"R", "\\mathbb{R}"},
    {"dbinom", "\\binom"},
    {"tbinom", "\\binom"},
};

const char *ps_answer_command(const char *name, size_t size) {
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strlen(commands[i].name) == size && memcmp(commands[i].name, name, size) == 0)
            return commands[i].becomes;
    return NULL;
}
