/* The rules of the control file, as parsed, and how often each took effect. */
#ifndef RULES_H
#define RULES_H

#include "cryptoki.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum verb {
  FAIL, DELAY, HANG, CRASH, IGNORE, THROTTLE, COUNT,
  DROP_SESSIONS, FORGET_LOGIN, RENUMBER_HANDLES,
  HIDE, SWAP, WIPE, EXPOSE,
  GCM_IV, HIDE_MECHANISM, CLAIM_MECHANISM, REMOVE_MECHANISM,
  GONE, SESSIONS
};

enum gcm_form { WRITEBACK12 = 1, PREPEND12 = 2, APPEND16 = 4 };

enum { MAX_RULES = 256, MAX_ID = 64, MAX_TAG = 32 };

struct id {
  CK_ULONG length;
  CK_BYTE bytes[MAX_ID];
};

struct rule {
  enum verb verb;
  unsigned line; /* from 0; also the place of its counters */
  bool functions[FUNCTION_COUNT];
  CK_RV answer;
  uint64_t duration, jitter; /* nanoseconds; of a throttle: between two calls */
  uint64_t times;            /* 0: without limit */
  uint64_t skip;             /* calls that are spared first */
  double rate;
  bool after;
  struct id ids[2];
  CK_MECHANISM_TYPE mechanism;
  enum gcm_form form;
  char tag[MAX_TAG];
};

/* Shared by every process that follows the same version of the control file; all zero at its start. */
struct counters {
  _Atomic uint64_t calls; /* calls of the functions the rule names */
  _Atomic uint64_t hits;  /* times it took effect */
  _Atomic uint64_t next;  /* of a throttle: when the HSM will have worked off its queue, CLOCK_MONOTONIC nanoseconds */
};

/* Which version of the control file: a file moved into its place has another inode, an edited one another time. */
struct version {
  ino_t inode;
  off_t size;
  int64_t modified; /* nanoseconds since 1970 */
};

struct rules {
  atomic_uint references;
  struct version version;
  unsigned verbs; /* bit 1 << verb for every verb that occurs */
  unsigned forms; /* every enum gcm_form that occurs */
  struct counters *counters; /* MAX_RULES of them */
  unsigned count;
  struct rule list[MAX_RULES];
};

static inline bool has(const struct rules *rules, enum verb verb) { return rules->verbs >> verb & 1; }

/* parse.c: adds the rules in `text`, which it takes apart; a line that is no rule is named on stderr and ignored. */
void parse_rules(struct rules *rules, const char *path, char *text);

/* control.c: the rules in force now. Whoever acquires them releases them. */
struct rules *acquire_rules(void);
void release_rules(struct rules *rules);

/* names.c: false where the name is neither known nor a number. */
bool return_code_named(const char *name, CK_RV *code);
bool mechanism_named(const char *name, CK_MECHANISM_TYPE *type);

#endif
