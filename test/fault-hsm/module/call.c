/* What surrounds every call: the rules that name its function, before and after it, and the lock that events wait for. */
#include "hsm.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { NANOSECONDS = 1000000000 };

/* Ends a call as an error would, but its caller gets CKR_OK. */
static const CK_RV ignored = ~(CK_RV)0;

/* Scatters the numbers 0, 1, 2 ... evenly over 64 bits (the finaliser of splitmix64): a rate that is the same in every run. */
static uint64_t scatter(uint64_t n) {
  n += 0x9e3779b97f4a7c15;
  n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
  n = (n ^ n >> 27) * 0x94d049bb133111eb;
  return n ^ n >> 31;
}

/* From 0 up to but not including 1. */
static double fraction(uint64_t n) { return (double)(scatter(n) >> 11) / (double)(1ULL << 53); }

/* True when the call comes too early: the queue may hold a tenth of a second of work (generic cell rate algorithm). */
static bool over_limit(struct counters *counters, uint64_t interval) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  uint64_t now = (uint64_t)time.tv_sec * NANOSECONDS + (uint64_t)time.tv_nsec;
  uint64_t queue = interval < NANOSECONDS / 10 ? NANOSECONDS / 10 : 0;
  uint64_t next = atomic_load(&counters->next), start;
  do {
    start = next > now ? next : now;
    if (start - now > queue) return true;
  } while (!atomic_compare_exchange_weak(&counters->next, &next, start + interval));
  return false;
}

static bool takes_effect(const struct rule *rule, struct counters *counters, uint64_t n) {
  if (n < rule->skip) return false;
  if (rule->rate < 1 && fraction(n ^ (uint64_t)rule->line << 32) >= rule->rate) return false;
  if (rule->verb == THROTTLE && !over_limit(counters, rule->duration)) return false;
  uint64_t hits = atomic_load(&counters->hits);
  do {
    if (rule->times && hits >= rule->times) return false;
  } while (!atomic_compare_exchange_weak(&counters->hits, &hits, hits + 1));
  return true;
}

static void wait_for(uint64_t duration) {
  struct timespec left = {(time_t)(duration / NANOSECONDS), (long)(duration % NANOSECONDS)};
  static _Thread_local bool is_exact;
  if (!is_exact) prctl(PR_SET_TIMERSLACK, 1UL); /* the usual slack of 50 microseconds would spoil a measurement */
  is_exact = true;
  while (nanosleep(&left, &left) != 0) continue;
}

static void hang(void) {
  for (;;) pause();
}

static void crash(void) {
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* no core file: this crash explains itself */
  signal(SIGSEGV, SIG_DFL);
  raise(SIGSEGV);
}

/* The rules in their order: delays add up, the first that answers decides. */
static CK_RV misbehave(const struct call *call, bool after) {
  for (unsigned i = 0; i < call->rules->count; i++) {
    const struct rule *rule = &call->rules->list[i];
    if (!rule->functions[call->function] || rule->after != after) continue;
    struct counters *counters = &call->rules->counters[rule->line];
    uint64_t n = atomic_fetch_add(&counters->calls, 1);
    if (!takes_effect(rule, counters, n)) continue;
    if (rule->verb == DELAY) wait_for(rule->duration + (uint64_t)(fraction(~n) * (double)rule->jitter));
    if (rule->verb == HANG) hang();
    if (rule->verb == CRASH) crash();
    if (rule->verb == IGNORE) return ignored;
    if (rule->verb == FAIL || rule->verb == THROTTLE) return rule->answer;
  }
  return CKR_OK;
}

CK_RV enter(struct call *call, enum function function) {
  *call = (struct call){.rules = acquire_rules(), .function = function};
  CK_RV rv = state_answers(call->rules, function);
  THEN(misbehave(call, false));
  /* C_WaitForSlotEvent may block for ever, and no event may wait for it. */
  if (rv == CKR_OK && function != FUNCTION_C_WaitForSlotEvent) {
    lock_for_call();
    call->in_hsm = true;
  }
  return rv;
}

CK_RV leave(struct call *call, CK_RV rv) {
  if (call->in_hsm) {
    unlock_after_call();
    THEN(misbehave(call, true));
  }
  release_rules(call->rules);
  return rv == ignored ? CKR_OK : rv;
}
