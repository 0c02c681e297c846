/* A token that allows few sessions, over all processes that follow the control file. */
#include "hsm.h"
#include <stddef.h>

/* PKCS#11 v2.40, section 3.2. */
struct CK_TOKEN_INFO {
  CK_BYTE label[32], manufacturer[32], model[16], serial[16];
  CK_ULONG flags, most_sessions, sessions, most_rw_sessions, rw_sessions, most_pin, least_pin;
  CK_ULONG total_public, free_public, total_private, free_private;
  CK_BYTE versions[4], time[16];
};

static const struct rule *limit(const struct rules *rules) {
  for (unsigned i = 0; has(rules, SESSIONS) && i < rules->count; i++)
    if (rules->list[i].verb == SESSIONS) return &rules->list[i];
  return NULL;
}

/* `calls` counts the sessions that are open. */
CK_RV session_opens(const struct rules *rules) {
  const struct rule *rule = limit(rules);
  if (!rule) return CKR_OK;
  struct counters *counters = &rules->counters[rule->line];
  if (atomic_fetch_add(&counters->calls, 1) < rule->times) return CKR_OK;
  atomic_fetch_sub(&counters->calls, 1);
  atomic_fetch_add(&counters->hits, 1);
  return 0xB1; /* CKR_SESSION_COUNT */
}

void session_closed(const struct rules *rules) {
  const struct rule *rule = limit(rules);
  if (rule) atomic_fetch_sub(&rules->counters[rule->line].calls, 1);
}

CK_RV fault_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info) {
  ENTER(C_GetTokenInfo);
  THEN(hsm->C_GetTokenInfo(slot, info));
  const struct rule *rule = rv == CKR_OK ? limit(call.rules) : NULL;
  if (rule) info->most_sessions = info->most_rw_sessions = rule->times;
  return leave(&call, rv);
}
