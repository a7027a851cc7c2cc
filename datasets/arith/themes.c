/* The clauses that stories are put together from.
 *
 * A theme is a small world in which one quantity changes: what somebody collects, money, a bus, a
 * farm, a bakery. Each clause makes one change and stands alone, so that any order of clauses reads
 * naturally. The note beside a wording repeats its telling words, and a line of the working is the
 * note with its sum behind it: "She buys 7: 12 + 7 = 19". A small model then finds its place in the
 * story by looking for what comes after the words it has just repeated.
 *
 * A clause's key must stand for its meaning: two clauses of a theme with different keys never have
 * the same text, because the key decides whether a story is for training or for tests. */
#include "datasets/arith/arith_internal.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
#define END                                                                                        \
    {                                                                                              \
        NULL, PS_ARITH_ASK, {                                                                      \
            { NULL, NULL }                                                                         \
        }                                                                                          \
    }

static const struct ps_arith_clause collection_opening = {"has",
                                                          PS_ARITH_SET,
                                                          {{"{N} has {a} {o}.", ""},
                                                           {"There are {a} {o} in {N}'s bag.", ""},
                                                           {"{N} starts with {a} {o}.", ""}}};

static const struct ps_arith_clause collection_groups = {
    "boxes",
    PS_ARITH_GROUPS,
    {{"{N} has {a} boxes with {b} {o} in each.", "{a} boxes with {b}"},
     {"{N} fills {a} bags with {b} {o} each.", "{a} bags with {b}"},
     {"{N} owns {a} jars of {b} {o}.", "{a} jars of {b}"}}};

static const struct ps_arith_clause collection_ask = {
    "now",
    PS_ARITH_ASK,
    {{"How many {o} does {N} have now?", ""},
     {"How many {o} does {p} have in the end?", ""},
     {"How many {o} are there now?", ""}}};

static const struct ps_arith_clause collection_middles[] = {
    {"buys",
     PS_ARITH_ADD,
     {{"{P} buys {a} more.", "{P} buys {a}"},
      {"Then {p} buys {a} {o} at the market.", "{P} buys {a}"},
      {"In a shop {p} buys {a} more {o}.", "{P} buys {a}"}}},
    {"finds",
     PS_ARITH_ADD,
     {{"{P} finds {a} {o} in a drawer.", "{P} finds {a}"},
      {"Under the bed {p} finds {a} more.", "{P} finds {a}"}}},
    {"gets",
     PS_ARITH_ADD,
     {{"{M} gives {m} {a} {o}.", "{M} gives {m} {a}"},
      {"{P} gets {a} more from {M}.", "{P} gets {a}"}}},
    {"wins",
     PS_ARITH_ADD,
     {{"{P} wins {a} {o} in a game.", "{P} wins {a}"},
      {"At school {p} wins {a} more.", "{P} wins {a}"}}},
    {"loses",
     PS_ARITH_SUBTRACT,
     {{"{P} loses {a} of them.", "{P} loses {a}"},
      {"On the way home {p} loses {a} {o}.", "{P} loses {a}"}}},
    {"gives",
     PS_ARITH_SUBTRACT,
     {{"{P} gives {a} {o} to {M}.", "{P} gives {a}"},
      {"{P} gives {a} of them away.", "{P} gives {a}"}}},
    {"sells",
     PS_ARITH_SUBTRACT,
     {{"{P} sells {a} of them.", "{P} sells {a}"},
      {"Then {p} sells {a} {o} to {M}.", "{P} sells {a}"}}},
    {"throws",
     PS_ARITH_SUBTRACT,
     {{"{P} throws away {a} old ones.", "{P} throws away {a}"},
      {"Then {p} throws away {a} {o}.", "{P} throws away {a}"}}},
    {"twice",
     PS_ARITH_DOUBLE,
     {{"By summer {p} has twice as many.", "Twice as many"},
      {"A year later {p} has twice as many {o}.", "Twice as many"}}},
    {"times",
     PS_ARITH_MULTIPLY,
     {{"By winter {p} has {a} times as many.", "{a} times as many"},
      {"A month later {p} has {a} times as many {o}.", "{a} times as many"}}},
    {"half",
     PS_ARITH_HALVE,
     {{"{P} gives half of them to {M}.", "Half of them"},
      {"{P} keeps only half of them.", "Half of them"}}},
    {"third",
     PS_ARITH_THIRD,
     {{"{P} keeps only a third of them.", "A third of them"},
      {"After a flood {p} has a third of them left.", "A third of them"}}},
    END};

static const struct ps_arith_clause collection_closings[] = {
    {"friends",
     PS_ARITH_DIVIDE,
     {{"{P} shares all of them equally among {a} friends. How many {o} does each friend get?",
       "{a} friends"},
      {"{P} puts all of them into {a} equal piles. How many {o} are in each pile?", "{a} piles"}}},
    {"worth",
     PS_ARITH_MULTIPLY,
     {{"Each one is worth {a} dollars. How many dollars are all of them worth?",
       "{a} dollars each"},
      {"{P} sells them all for {a} dollars each. How many dollars does {p} get?",
       "{a} dollars each"}}},
    {"fewer",
     PS_ARITH_SUBTRACT,
     {{"{M} has {a} fewer {o} than {N}. How many {o} does {M} have?", "{a} fewer"}}},
    {"more",
     PS_ARITH_ADD,
     {{"{M} has {a} more {o} than {N}. How many {o} does {M} have?", "{a} more"}}},
    {"goal",
     PS_ARITH_GOAL,
     {{"{P} wants to have {a} {o}. How many more does {p} need?", "{P} wants {a}"}}},
    END};

static const struct ps_arith_clause money_opening = {
    "has",
    PS_ARITH_SET,
    {{"{N} has {a} dollars.", ""},
     {"{N} starts the week with {a} dollars.", ""},
     {"There are {a} dollars in {N}'s purse.", ""}}};

static const struct ps_arith_clause money_groups = {
    "works",
    PS_ARITH_GROUPS,
    {{"{N} works {a} hours for {b} dollars an hour.", "{a} hours for {b}"},
     {"{N} washes {a} cars for {b} dollars each.", "{a} cars for {b}"}}};

static const struct ps_arith_clause money_ask = {
    "now",
    PS_ARITH_ASK,
    {{"How many dollars does {N} have now?", ""},
     {"How many dollars does {p} have in the end?", ""},
     {"How much money does {N} have now?", ""}}};

static const struct ps_arith_clause money_middles[] = {
    {"earns",
     PS_ARITH_ADD,
     {{"{P} earns {a} dollars by walking dogs.", "{P} earns {a}"},
      {"On Monday {p} earns {a} dollars more.", "{P} earns {a}"},
      {"In the garden {p} earns {a} dollars.", "{P} earns {a}"}}},
    {"gift",
     PS_ARITH_ADD,
     {{"{M} gives {m} {a} dollars.", "{M} gives {m} {a}"},
      {"For {h} birthday {p} gets {a} dollars.", "{P} gets {a}"}}},
    {"finds",
     PS_ARITH_ADD,
     {{"{P} finds {a} dollars in a coat.", "{P} finds {a}"},
      {"On the street {p} finds {a} dollars.", "{P} finds {a}"}}},
    {"spends",
     PS_ARITH_SUBTRACT,
     {{"{P} spends {a} dollars on a hat.", "{P} spends {a}"},
      {"At the market {p} spends {a} dollars.", "{P} spends {a}"}}},
    {"pays",
     PS_ARITH_SUBTRACT,
     {{"{P} pays {a} dollars for lunch.", "{P} pays {a}"},
      {"Then {p} pays {a} dollars to {M}.", "{P} pays {a}"}}},
    {"lends",
     PS_ARITH_SUBTRACT,
     {{"{P} lends {a} dollars to {M}.", "{P} lends {a}"},
      {"Then {p} lends {M} {a} dollars.", "{P} lends {a}"}}},
    {"loses",
     PS_ARITH_SUBTRACT,
     {{"{P} loses {a} dollars on the way home.", "{P} loses {a}"},
      {"On a bus {p} loses {a} dollars.", "{P} loses {a}"}}},
    {"twice",
     PS_ARITH_DOUBLE,
     {{"A year later {p} has twice as much money.", "Twice as much"},
      {"By summer {p} has twice as much.", "Twice as much"}}},
    {"times",
     PS_ARITH_MULTIPLY,
     {{"By winter {p} has {a} times as much.", "{a} times as much"},
      {"A month later {p} has {a} times as much money.", "{a} times as much"}}},
    {"half",
     PS_ARITH_HALVE,
     {{"{P} spends half of the money on a game.", "Half of the money"},
      {"{P} gives half of the money to {M}.", "Half of the money"}}},
    {"third",
     PS_ARITH_THIRD,
     {{"{P} keeps only a third of the money.", "A third of the money"},
      {"After a trip {p} has a third of the money left.", "A third of the money"}}},
    END};

static const struct ps_arith_clause money_closings[] = {
    {"tickets",
     PS_ARITH_DIVIDE,
     {{"A ticket costs {a} dollars. How many tickets can {p} buy?", "A ticket costs {a}"},
      {"A book costs {a} dollars. How many books can {p} buy?", "A book costs {a}"}}},
    {"bike",
     PS_ARITH_GOAL,
     {{"A bike costs {a} dollars. How many more dollars does {p} need?", "A bike costs {a}"},
      {"{P} wants to have {a} dollars. How many more does {p} need?", "{P} wants {a}"}}},
    {"less",
     PS_ARITH_SUBTRACT,
     {{"{M} has {a} dollars less than {N}. How many dollars does {M} have?", "{a} dollars less"}}},
    {"more",
     PS_ARITH_ADD,
     {{"{M} has {a} dollars more than {N}. How many dollars does {M} have?", "{a} dollars more"}}},
    END};

static const struct ps_arith_clause bus_opening = {
    "leaves",
    PS_ARITH_SET,
    {{"A {t} leaves with {a} {o}.", ""}, {"There are {a} {o} on a {t}.", ""}}};

static const struct ps_arith_clause bus_groups = {
    "rows",
    PS_ARITH_GROUPS,
    {{"On a {t} there are {a} rows with {b} {o} in each.", "{a} rows with {b}"},
     {"A {t} leaves with {a} groups of {b} {o}.", "{a} groups of {b}"}}};

static const struct ps_arith_clause bus_ask = {
    "now",
    PS_ARITH_ASK,
    {{"How many {o} are on the {t} now?", ""},
     {"How many {o} does the {t} carry in the end?", ""}}};

static const struct ps_arith_clause bus_middles[] = {
    {"on",
     PS_ARITH_ADD,
     {{"At the next stop {a} {o} get on.", "{a} get on"},
      {"In the village {a} more get on.", "{a} get on"}}},
    {"joins",
     PS_ARITH_ADD,
     {{"A group of {a} {o} joins them.", "A group of {a} joins"},
      {"At the zoo a group of {a} joins them.", "A group of {a} joins"}}},
    {"climb",
     PS_ARITH_ADD,
     {{"At the park {a} {o} climb in.", "{a} climb in"},
      {"Then {a} more climb in.", "{a} climb in"}}},
    {"off",
     PS_ARITH_SUBTRACT,
     {{"At the next stop {a} {o} get off.", "{a} get off"},
      {"In the village {a} of them get off.", "{a} get off"}}},
    {"leave",
     PS_ARITH_SUBTRACT,
     {{"At the school {a} {o} leave.", "{a} leave"},
      {"At the lake {a} of them leave.", "{a} leave"}}},
    {"walk",
     PS_ARITH_SUBTRACT,
     {{"At the station {a} of them walk away.", "{a} walk away"},
      {"Then {a} {o} walk away.", "{a} walk away"}}},
    {"twice",
     PS_ARITH_DOUBLE,
     {{"In the city there are twice as many.", "Twice as many"},
      {"An hour later there are twice as many {o}.", "Twice as many"}}},
    {"times",
     PS_ARITH_MULTIPLY,
     {{"In the city there are {a} times as many.", "{a} times as many"},
      {"An hour later there are {a} times as many {o}.", "{a} times as many"}}},
    {"half",
     PS_ARITH_HALVE,
     {{"At the market half of them get off.", "Half of them"},
      {"Then half of them go home.", "Half of them"}}},
    {"third",
     PS_ARITH_THIRD,
     {{"After the bridge only a third of them stay.", "A third of them"},
      {"In the hills only a third of them stay.", "A third of them"}}},
    END};

static const struct ps_arith_clause bus_closings[] = {
    {"fare",
     PS_ARITH_MULTIPLY,
     {{"Each of them pays {a} dollars. How many dollars do they pay?", "Each pays {a}"},
      {"Each of them carries {a} bags. How many bags do they carry?", "Each carries {a}"}}},
    {"teams",
     PS_ARITH_DIVIDE,
     {{"Then they form {a} equal teams. How many {o} are in each team?", "{a} teams"},
      {"They sleep in {a} equal tents. How many {o} are in each tent?", "{a} tents"}}},
    {"seats",
     PS_ARITH_GOAL,
     {{"The {t} has {a} seats. How many seats are empty?", "The {t} has {a} seats"},
      {"The {t} has room for {a}. How many more can come?", "The {t} has room for {a}"}}},
    END};

static const struct ps_arith_clause farm_opening = {
    "has", PS_ARITH_SET, {{"A farm has {a} {o}.", ""}, {"{N} keeps {a} {o} on a farm.", ""}}};

static const struct ps_arith_clause farm_groups = {
    "barns",
    PS_ARITH_GROUPS,
    {{"A farm has {a} barns with {b} {o} in each.", "{a} barns with {b}"},
     {"{N} keeps {a} groups of {b} {o} on a farm.", "{a} groups of {b}"}}};

static const struct ps_arith_clause farm_ask = {
    "now",
    PS_ARITH_ASK,
    {{"How many {o} are on the farm now?", ""},
     {"How many {o} does the farm have in the end?", ""}}};

static const struct ps_arith_clause farm_middles[] = {
    {"born",
     PS_ARITH_ADD,
     {{"In spring {a} more are born.", "{a} are born"},
      {"In May {a} {o} are born.", "{a} are born"}}},
    {"buys",
     PS_ARITH_ADD,
     {{"The farmer buys {a} more.", "The farmer buys {a}"},
      {"From {M} the farmer buys {a} {o}.", "The farmer buys {a}"}}},
    {"brings",
     PS_ARITH_ADD,
     {{"{M} brings {a} {o}.", "{M} brings {a}"},
      {"On Sunday {M} brings {a} more.", "{M} brings {a}"}}},
    {"sells",
     PS_ARITH_SUBTRACT,
     {{"The farmer sells {a} of them.", "The farmer sells {a}"},
      {"At the fair the farmer sells {a} {o}.", "The farmer sells {a}"}}},
    {"run",
     PS_ARITH_SUBTRACT,
     {{"At night {a} {o} run away.", "{a} run away"},
      {"In a storm {a} of them run away.", "{a} run away"}}},
    {"gives",
     PS_ARITH_SUBTRACT,
     {{"The farmer gives {a} {o} to {M}.", "The farmer gives {a}"},
      {"On Friday the farmer gives {a} of them away.", "The farmer gives {a}"}}},
    {"twice",
     PS_ARITH_DOUBLE,
     {{"A year later there are twice as many.", "Twice as many"},
      {"By summer there are twice as many {o}.", "Twice as many"}}},
    {"times",
     PS_ARITH_MULTIPLY,
     {{"By winter there are {a} times as many.", "{a} times as many"},
      {"A year later there are {a} times as many {o}.", "{a} times as many"}}},
    {"half",
     PS_ARITH_HALVE,
     {{"In fall half of them move to another farm.", "Half of them"},
      {"The farmer sells half of them.", "Half of them"}}},
    {"third",
     PS_ARITH_THIRD,
     {{"After a flood only a third of them stay.", "A third of them"},
      {"The farmer keeps only a third of them.", "A third of them"}}},
    END};

static const struct ps_arith_clause farm_closings[] = {
    {"grain",
     PS_ARITH_MULTIPLY,
     {{"Each of them eats {a} cups of grain. How many cups do they eat?", "Each eats {a}"},
      {"Each of them needs {a} cups of water. How many cups do they need?", "Each needs {a}"}}},
    {"pens",
     PS_ARITH_DIVIDE,
     {{"They live in {a} equal pens. How many {o} are in each pen?", "{a} pens"},
      {"They form {a} equal groups. How many {o} are in each group?", "{a} groups"}}},
    {"fewer",
     PS_ARITH_SUBTRACT,
     {{"{M} has {a} fewer {o} than the farm. How many {o} does {M} have?", "{a} fewer"}}},
    {"more",
     PS_ARITH_ADD,
     {{"{M} has {a} more {o} than the farm. How many {o} does {M} have?", "{a} more"}}},
    END};

static const struct ps_arith_clause bakery_opening = {
    "bakes", PS_ARITH_SET, {{"{N} bakes {a} {o}.", ""}, {"{N} has {a} {o} in the kitchen.", ""}}};

static const struct ps_arith_clause bakery_groups = {
    "trays",
    PS_ARITH_GROUPS,
    {{"{N} bakes {a} trays of {b} {o}.", "{a} trays of {b}"},
     {"{N} fills {a} plates with {b} {o} each.", "{a} plates with {b}"}}};

static const struct ps_arith_clause bakery_ask = {"now",
                                                  PS_ARITH_ASK,
                                                  {{"How many {o} does {N} have now?", ""},
                                                   {"How many {o} are there in the end?", ""},
                                                   {"How many {o} are on the table now?", ""}}};

static const struct ps_arith_clause bakery_middles[] = {
    {"again",
     PS_ARITH_ADD,
     {{"Then {p} bakes {a} more.", "{P} bakes {a}"},
      {"In the evening {p} bakes {a} more {o}.", "{P} bakes {a}"}}},
    {"brings",
     PS_ARITH_ADD,
     {{"{M} brings {a} {o}.", "{M} brings {a}"},
      {"For the party {M} brings {a} more.", "{M} brings {a}"}}},
    {"orders",
     PS_ARITH_ADD,
     {{"{P} orders {a} more from a shop.", "{P} orders {a}"},
      {"Then {p} orders {a} {o}.", "{P} orders {a}"}}},
    {"sells",
     PS_ARITH_SUBTRACT,
     {{"{P} sells {a} of them.", "{P} sells {a}"},
      {"At the market {p} sells {a} {o}.", "{P} sells {a}"}}},
    {"eat",
     PS_ARITH_SUBTRACT,
     {{"The children eat {a} of them.", "The children eat {a}"},
      {"At lunch the children eat {a} {o}.", "The children eat {a}"}}},
    {"drops",
     PS_ARITH_SUBTRACT,
     {{"{P} drops {a} {o} on the floor.", "{P} drops {a}"},
      {"In the kitchen {p} drops {a} of them.", "{P} drops {a}"}}},
    {"gives",
     PS_ARITH_SUBTRACT,
     {{"{P} gives {a} {o} to {M}.", "{P} gives {a}"},
      {"{P} gives {a} of them to a school.", "{P} gives {a}"}}},
    {"twice",
     PS_ARITH_DOUBLE,
     {{"By noon {p} has twice as many.", "Twice as many"},
      {"An hour later {p} has twice as many {o}.", "Twice as many"}}},
    {"times",
     PS_ARITH_MULTIPLY,
     {{"By noon {p} has {a} times as many.", "{a} times as many"},
      {"An hour later {p} has {a} times as many {o}.", "{a} times as many"}}},
    {"half",
     PS_ARITH_HALVE,
     {{"{P} takes half of them to {M}.", "Half of them"},
      {"In the morning half of them are sold.", "Half of them"}}},
    {"third",
     PS_ARITH_THIRD,
     {{"After the party only a third of them are left.", "A third of them"},
      {"{P} keeps only a third of them.", "A third of them"}}},
    END};

static const struct ps_arith_clause bakery_closings[] = {
    {"boxes",
     PS_ARITH_DIVIDE,
     {{"{P} packs all of them in boxes of {a}. How many boxes does {p} fill?", "Boxes of {a}"},
      {"{a} guests share them equally. How many {o} does each guest get?", "{a} guests"}}},
    {"price",
     PS_ARITH_MULTIPLY,
     {{"{P} sells the rest for {a} dollars each. How many dollars does {p} get?",
       "{a} dollars each"},
      {"Each one needs {a} eggs. How many eggs do all of them need?", "{a} eggs each"}}},
    {"goal",
     PS_ARITH_GOAL,
     {{"A party needs {a} {o}. How many more does {p} have to bake?", "A party needs {a}"}}},
    {"fewer",
     PS_ARITH_SUBTRACT,
     {{"{M} has {a} fewer {o} than {N}. How many {o} does {M} have?", "{a} fewer"}}},
    END};

const struct ps_arith_theme ps_arith_themes[] = {
    {"collection",
     LIST("marbles", "stickers", "cards", "shells", "coins", "pens", "stamps", "buttons", "beads",
          "stones", "toys", "apples"),
     NULL, &collection_opening, &collection_groups, &collection_ask, collection_middles,
     collection_closings},
    {"money", LIST("dollars"), NULL, &money_opening, &money_groups, &money_ask, money_middles,
     money_closings},
    {"bus", LIST("people", "students", "children", "tourists", "players"),
     LIST("bus", "train", "boat", "tram"), &bus_opening, &bus_groups, &bus_ask, bus_middles,
     bus_closings},
    {"farm", LIST("hens", "ducks", "goats", "sheep", "cows", "rabbits", "pigs"), NULL,
     &farm_opening, &farm_groups, &farm_ask, farm_middles, farm_closings},
    {"bakery", LIST("muffins", "cookies", "pies", "rolls", "cakes", "tarts", "buns"), NULL,
     &bakery_opening, &bakery_groups, &bakery_ask, bakery_middles, bakery_closings},
};
const size_t ps_arith_theme_count = sizeof ps_arith_themes / sizeof ps_arith_themes[0];
