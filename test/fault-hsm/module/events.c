/* What happens once: drop-sessions, forget-login, renumber-handles. */
#include "hsm.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A call holds it shared while it is in the real module, an event alone: to close a session under a call would crash a real
 * module, which is not the fault that was ordered. Events come first, or 32 busy callers would keep them out for ever. */
static pthread_rwlock_t in_hsm = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

void lock_for_call(void) { pthread_rwlock_rdlock(&in_hsm); }

void unlock_after_call(void) { pthread_rwlock_unlock(&in_hsm); }

static bool close_all_sessions(CK_SLOT_ID slot) { return hsm->C_CloseAllSessions(slot) == CKR_OK; }

static bool log_out(CK_SLOT_ID slot) {
  CK_SESSION_HANDLE session;
  if (hsm->C_OpenSession(slot, CKF_RW_SESSION | CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK) return false;
  bool was_logged_in = hsm->C_Logout(session) == CKR_OK;
  hsm->C_CloseSession(session);
  return was_logged_in;
}

/* True when it succeeded for some slot. Before C_Initialize there are none. */
static bool for_every_slot(bool (*act)(CK_SLOT_ID)) {
  CK_ULONG count = 0;
  if (hsm->C_GetSlotList(CK_TRUE, NULL, &count) != CKR_OK || count == 0) return false;
  CK_SLOT_ID *slots = calloc(count, sizeof *slots);
  bool succeeded = false;
  if (slots && hsm->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK)
    for (CK_ULONG i = 0; i < count; i++) succeeded |= act(slots[i]);
  free(slots);
  return succeeded;
}

static void fire(enum verb verb) {
  if (verb == DROP_SESSIONS) {
    for_every_slot(close_all_sessions);
    make_sessions_stale();
    forget_closed_sessions();
  }
  if (verb == FORGET_LOGIN && for_every_slot(log_out)) forget_login();
  if (verb == RENUMBER_HANDLES) make_objects_stale();
}

static bool is_event(const struct rule *rule) {
  return rule->verb == DROP_SESSIONS || rule->verb == FORGET_LOGIN || rule->verb == RENUMBER_HANDLES;
}

static bool stood_before(const struct rules *before, const struct rule *rule) {
  for (unsigned i = 0; i < before->count; i++)
    if (before->list[i].verb == rule->verb && strcmp(before->list[i].tag, rule->tag) == 0) return true;
  return false;
}

void fire_events(const struct rules *before, const struct rules *now) {
  for (unsigned i = 0; i < now->count; i++) {
    const struct rule *rule = &now->list[i];
    if (!is_event(rule) || stood_before(before, rule)) continue;
    pthread_rwlock_wrlock(&in_hsm);
    fire(rule->verb);
    pthread_rwlock_unlock(&in_hsm);
    atomic_fetch_add(&now->counters[rule->line].hits, 1);
  }
}
