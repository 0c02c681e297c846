/* The grammar of the control file: one rule a line, words between blanks, `#` starts a comment. */
#include "rules.h"
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The arguments of a verb, one letter each: Functions, Return code, Duration, calls per second (N), Id, Mechanism, iv form (V), Count;
 * T is a tag, which may be left out. */
static const struct syntax {
  const char *word;
  enum verb verb;
  const char *arguments;
} grammar[] = {
    {"fail", FAIL, "FR"},
    {"delay", DELAY, "FD"},
    {"hang", HANG, "F"},
    {"crash", CRASH, "F"},
    {"ignore", IGNORE, "F"},
    {"throttle", THROTTLE, "FNR"},
    {"count", COUNT, "F"},
    {"drop-sessions", DROP_SESSIONS, "T"},
    {"forget-login", FORGET_LOGIN, "T"},
    {"renumber-handles", RENUMBER_HANDLES, "T"},
    {"hide", HIDE, "I"},
    {"swap", SWAP, "II"},
    {"wipe", WIPE, ""},
    {"expose", EXPOSE, "I"},
    {"gcm-iv", GCM_IV, "V"},
    {"hide-mechanism", HIDE_MECHANISM, "M"},
    {"claim-mechanism", CLAIM_MECHANISM, "M"},
    {"remove-mechanism", REMOVE_MECHANISM, "M"},
    {"gone", GONE, ""},
    {"sessions", SESSIONS, "C"},
};

static const char *const function_names[FUNCTION_COUNT] = {
#define NAME(kind, name, parameters, arguments) #name,
    CK_FUNCTIONS(NAME)
#undef NAME
};

static bool read_functions(struct rule *rule, const char *word) {
  bool any = false;
  for (int i = 0; i < FUNCTION_COUNT; i++) {
    rule->functions[i] = fnmatch(word, function_names[i], 0) == 0;
    any |= rule->functions[i];
  }
  return any;
}

/* A number of at least 0 and at most `limit` with exactly `rest` behind it. */
static bool read_number(const char *word, const char *rest, double limit, double *number) {
  char *end;
  *number = strtod(word, &end);
  return end != word && strcmp(end, rest) == 0 && isfinite(*number) && *number >= 0 && *number <= limit;
}

/* Up to a day, in nanoseconds. */
static bool read_duration(const char *word, uint64_t *duration) {
  static const struct { const char *name; double nanoseconds; } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  for (unsigned i = 0; i < sizeof units / sizeof *units; i++) {
    double number;
    if (!read_number(word, units[i].name, 86400e9 / units[i].nanoseconds, &number)) continue;
    *duration = (uint64_t)(number * units[i].nanoseconds);
    return true;
  }
  return false;
}

static bool read_calls_per_second(const char *word, uint64_t *interval) {
  double number;
  if (!read_number(word, "/s", 1e9, &number) || number < 1e-5) return false;
  *interval = (uint64_t)(1e9 / number);
  return true;
}

static bool read_count(const char *word, uint64_t *count) {
  double number;
  if (!read_number(word, "", 1e15, &number) || number < 1) return false;
  *count = (uint64_t)number;
  return true;
}

static bool read_id(const char *word, struct id *id) {
  size_t digits = strlen(word);
  if (digits == 0 || digits % 2 || digits > 2 * MAX_ID || strspn(word, "0123456789abcdefABCDEF") != digits) return false;
  id->length = digits / 2;
  for (CK_ULONG i = 0; i < id->length; i++) sscanf(word + 2 * i, "%2hhx", &id->bytes[i]);
  return true;
}

static bool read_form(const char *word, enum gcm_form *form) {
  static const struct { const char *name; enum gcm_form form; } forms[] = {
      {"writeback12", WRITEBACK12}, {"prepend12", PREPEND12}, {"append16", APPEND16}};
  for (unsigned i = 0; i < sizeof forms / sizeof *forms; i++) {
    if (strcmp(word, forms[i].name) != 0) continue;
    *form = forms[i].form;
    return true;
  }
  return false;
}

static bool read_tag(const char *word, char *tag) { return (unsigned)snprintf(tag, MAX_TAG, "%s", word) < MAX_TAG; }

static bool read_argument(struct rule *rule, char kind, const char *word) {
  switch (kind) {
  case 'F': return read_functions(rule, word);
  case 'R': return return_code_named(word, &rule->answer) && rule->answer != CKR_OK;
  case 'D': return read_duration(word, &rule->duration);
  case 'N': return read_calls_per_second(word, &rule->duration);
  case 'I': return read_id(word, &rule->ids[rule->ids[0].length ? 1 : 0]);
  case 'M': return mechanism_named(word, &rule->mechanism);
  case 'V': return read_form(word, &rule->form);
  case 'C': return read_count(word, &rule->times);
  case 'T': return read_tag(word, rule->tag);
  default: return false;
  }
}

static char *next_word(char **rest) {
  char *word;
  while ((word = strsep(rest, " \t\r")) && !*word) continue;
  return word;
}

static bool read_modifier(struct rule *rule, const char *word, char **rest) {
  double rate;
  if (strcmp(word, "after") == 0) return rule->after = true;
  char *value = next_word(rest);
  if (!value) return false;
  if (strcmp(word, "times") == 0) return read_count(value, &rule->times);
  if (strcmp(word, "skip") == 0) return read_count(value, &rule->skip);
  if (strcmp(word, "jitter") == 0) return rule->verb == DELAY && read_duration(value, &rule->jitter);
  if (strcmp(word, "rate") != 0 || !read_number(value, "", 1, &rate)) return false;
  rule->rate = rate;
  return true;
}

static const struct syntax *syntax_of(const char *word) {
  for (unsigned i = 0; i < sizeof grammar / sizeof *grammar; i++)
    if (strcmp(grammar[i].word, word) == 0) return &grammar[i];
  return NULL;
}

static bool read_rule(struct rule *rule, char *rest) {
  char *word = next_word(&rest);
  const struct syntax *syntax = syntax_of(word);
  if (!syntax) return false;
  rule->verb = syntax->verb;
  for (const char *kind = syntax->arguments; *kind; kind++) {
    word = next_word(&rest);
    if (!word && *kind == 'T') return true;
    if (!word || !read_argument(rule, *kind, word)) return false;
  }
  if (rule->verb == SWAP && rule->ids[0].length != rule->ids[1].length) return false;
  while ((word = next_word(&rest)))
    if (syntax->arguments[0] != 'F' || !read_modifier(rule, word, &rest)) return false;
  return true;
}

static bool blank(const char *line) { return line[strspn(line, " \t\r")] == '\0'; }

void parse_rules(struct rules *rules, const char *path, char *text) {
  char *line;
  for (unsigned number = 0; (line = strsep(&text, "\n")); number++) {
    line[strcspn(line, "#")] = '\0';
    if (blank(line)) continue;
    char *copy = strdup(line);
    struct rule *rule = &rules->list[rules->count];
    if (number < MAX_RULES) *rule = (struct rule){.line = number, .rate = 1};
    if (number >= MAX_RULES || !read_rule(rule, line)) {
      fprintf(stderr, "fault-hsm: %s:%u: ignored: %s\n", path, number + 1, copy ? copy : "");
    } else {
      rules->count++;
      rules->verbs |= 1U << rule->verb;
      rules->forms |= rule->form;
    }
    free(copy);
  }
}
