/* Session and object handles: ours are the real ones, with the generation they were handed out in above bit 47. */
#include "hsm.h"

enum { GENERATION_SHIFT = 48 };
#define REAL_HANDLE ((1UL << GENERATION_SHIFT) - 1)

_Static_assert(sizeof(CK_ULONG) == 8, "handles carry their generation in the upper bits of 64");

/* The first generation is 0, so that handles are the real module's own until the first event. */
static _Atomic uint16_t session_generation, object_generation;

static bool current(CK_ULONG handle, uint16_t generation) { return handle >> GENERATION_SHIFT == generation; }

static CK_ULONG in_generation(CK_ULONG handle, uint16_t generation) {
  return handle | (CK_ULONG)generation << GENERATION_SHIFT;
}

CK_RV real_session(CK_SESSION_HANDLE *session) {
  if (!current(*session, session_generation)) return CKR_SESSION_HANDLE_INVALID;
  *session &= REAL_HANDLE;
  return CKR_OK;
}

CK_SESSION_HANDLE our_session(CK_SESSION_HANDLE session) { return in_generation(session, session_generation); }

CK_RV real_object(const struct rules *rules, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *object, CK_RV refusal) {
  if (!current(*object, object_generation)) return refusal;
  *object &= REAL_HANDLE;
  return object_hidden(rules, session, *object) ? refusal : CKR_OK;
}

CK_OBJECT_HANDLE our_object(CK_OBJECT_HANDLE object) { return in_generation(object, object_generation); }

CK_RV handed_out(CK_RV rv, CK_OBJECT_HANDLE *object) {
  if (rv == CKR_OK && object) *object = our_object(*object);
  return rv;
}

void make_sessions_stale(void) { session_generation++; }

void make_objects_stale(void) { object_generation++; }
