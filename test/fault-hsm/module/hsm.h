/* The real module, and what stands between it and our caller. */
#ifndef HSM_H
#define HSM_H

#include "rules.h"

/* forward.c: the real module. */
extern CK_FUNCTION_LIST *hsm;

/* Our functions: fault_C_Initialize and so on. */
#define DECLARE(kind, name, parameters, arguments) CK_RV fault_##name parameters;
CK_FUNCTIONS(DECLARE)
#undef DECLARE

/* call.c: every call starts with enter and ends with leave. Only where enter answers CKR_OK may the real module be asked;
 * leave returns what our caller is told. */
struct call {
  struct rules *rules;
  enum function function;
  bool in_hsm;
};
CK_RV enter(struct call *call, enum function function);
CK_RV leave(struct call *call, CK_RV rv);

/* Declares `call` and `rv` and enters. */
#define ENTER(name) \
  struct call call; \
  CK_RV rv = enter(&call, FUNCTION_##name)

/* Runs one step of a call unless an earlier one failed. */
#define THEN(step) \
  if (rv == CKR_OK) rv = (step)

/* events.c: what happens once in each process, while no call is in the real module. */
void lock_for_call(void);
void unlock_after_call(void);
void fire_events(const struct rules *before, const struct rules *now);

/* state.c: is the device there, is somebody logged in. */
CK_RV state_answers(const struct rules *rules, enum function function);
void forget_login(void);

/* handles.c: our handles are the real ones with a generation in their upper bits; one of an old generation is stale. */
CK_RV real_session(CK_SESSION_HANDLE *session);
CK_SESSION_HANDLE our_session(CK_SESSION_HANDLE session);
/* Also refuses an object that is hidden, with `refusal`. The session is the real one. */
CK_RV real_object(const struct rules *rules, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *object, CK_RV refusal);
CK_OBJECT_HANDLE our_object(CK_OBJECT_HANDLE object);
/* Rewrites the handle behind `object`, which may be NULL, when rv is CKR_OK; returns rv. */
CK_RV handed_out(CK_RV rv, CK_OBJECT_HANDLE *object);
void make_sessions_stale(void);
void make_objects_stale(void);

/* objects.c */
bool object_hidden(const struct rules *rules, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object);

/* sessions.c: CKR_SESSION_COUNT beyond the limit of the rules. */
CK_RV session_opens(const struct rules *rules);
void session_closed(const struct rules *rules);

/* mechanisms.c: CKR_MECHANISM_INVALID for one the rules took away. */
CK_RV usable(const struct rules *rules, const CK_MECHANISM *mechanism);

/* gcm.c: what it remembers of operations under way goes with the session, here by its real handle, or with every session that
 * the real module no longer knows. */
void forget_operation(CK_SESSION_HANDLE session);
void forget_closed_sessions(void);

#endif
