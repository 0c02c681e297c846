/* The state of the device and of the login, and the functions that change it. */
#include "hsm.h"

/* PRESENT turns LOST at the first call that meets the rule `gone`. Only C_Finalize and C_Initialize help, and while the rule
 * stands they find an HSM without slots: ABSENT. */
enum device { PRESENT, LOST, ABSENT };
static _Atomic enum device device = PRESENT;

/* After forget-login, until somebody logs in again. */
static atomic_bool login_forgotten;

/* What uses, makes or changes a key. Searching and reading go on without a login and find less. */
static const bool needs_login[FUNCTION_COUNT] = {
    [FUNCTION_C_CreateObject ... FUNCTION_C_DestroyObject] = true,
    [FUNCTION_C_SetAttributeValue] = true,
    [FUNCTION_C_EncryptInit ... FUNCTION_C_DecryptFinal] = true,
    [FUNCTION_C_DigestKey] = true,
    [FUNCTION_C_SignInit ... FUNCTION_C_DeriveKey] = true,
};

static bool opens_or_closes_the_library(enum function function) {
  return function == FUNCTION_C_Initialize || function == FUNCTION_C_Finalize;
}

CK_RV state_answers(const struct rules *rules, enum function function) {
  if (opens_or_closes_the_library(function)) return CKR_OK;
  enum device present = PRESENT;
  if (has(rules, GONE)) atomic_compare_exchange_strong(&device, &present, LOST);
  enum device now = device;
  if (now == LOST || (now == ABSENT && function != FUNCTION_C_GetSlotList)) return CKR_DEVICE_ERROR;
  if (login_forgotten && needs_login[function]) return CKR_USER_NOT_LOGGED_IN;
  return CKR_OK;
}

void forget_login(void) { login_forgotten = true; }

CK_RV fault_C_Initialize(void *arguments) {
  ENTER(C_Initialize);
  THEN(hsm->C_Initialize(arguments));
  if (rv == CKR_OK) {
    device = has(call.rules, GONE) ? ABSENT : PRESENT;
    login_forgotten = false;
  }
  return leave(&call, rv);
}

CK_RV fault_C_Finalize(void *reserved) {
  ENTER(C_Finalize);
  THEN(hsm->C_Finalize(reserved));
  if (rv == CKR_OK) forget_closed_sessions();
  return leave(&call, rv);
}

static CK_RV no_slots(CK_ULONG *count) {
  if (!count) return CKR_ARGUMENTS_BAD;
  *count = 0;
  return CKR_OK;
}

CK_RV fault_C_GetSlotList(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count) {
  ENTER(C_GetSlotList);
  THEN(device == ABSENT ? no_slots(count) : hsm->C_GetSlotList(present, slots, count));
  return leave(&call, rv);
}

CK_RV fault_C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *session) {
  ENTER(C_OpenSession);
  THEN(session_opens(call.rules));
  THEN(hsm->C_OpenSession(slot, flags, application, notify, session));
  if (rv == CKR_OK) *session = our_session(*session);
  return leave(&call, rv);
}

CK_RV fault_C_CloseSession(CK_SESSION_HANDLE session) {
  ENTER(C_CloseSession);
  THEN(real_session(&session));
  THEN(hsm->C_CloseSession(session));
  if (rv == CKR_OK) {
    forget_operation(session);
    session_closed(call.rules);
  }
  return leave(&call, rv);
}

CK_RV fault_C_CloseAllSessions(CK_SLOT_ID slot) {
  ENTER(C_CloseAllSessions);
  THEN(hsm->C_CloseAllSessions(slot));
  if (rv == CKR_OK) forget_closed_sessions();
  return leave(&call, rv);
}

CK_RV fault_C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG length) {
  ENTER(C_Login);
  THEN(real_session(&session));
  THEN(hsm->C_Login(session, user, pin, length));
  if (rv == CKR_OK) login_forgotten = false;
  return leave(&call, rv);
}
