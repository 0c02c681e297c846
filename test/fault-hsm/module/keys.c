/* The functions that take or give key handles, except the ones where AES-GCM interferes. */
#include "hsm.h"

CK_RV fault_C_SetOperationState(CK_SESSION_HANDLE session, CK_BYTE *state, CK_ULONG length, CK_OBJECT_HANDLE encryption,
                                CK_OBJECT_HANDLE authentication) {
  ENTER(C_SetOperationState);
  THEN(real_session(&session));
  /* 0 says that no key is needed. */
  THEN(encryption ? real_object(call.rules, session, &encryption, CKR_KEY_HANDLE_INVALID) : CKR_OK);
  THEN(authentication ? real_object(call.rules, session, &authentication, CKR_KEY_HANDLE_INVALID) : CKR_OK);
  THEN(hsm->C_SetOperationState(session, state, length, encryption, authentication));
  return leave(&call, rv);
}

CK_RV fault_C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism) {
  ENTER(C_DigestInit);
  THEN(real_session(&session));
  THEN(usable(call.rules, mechanism));
  THEN(hsm->C_DigestInit(session, mechanism));
  return leave(&call, rv);
}

CK_RV fault_C_DigestKey(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key) {
  ENTER(C_DigestKey);
  THEN(real_session(&session));
  THEN(real_object(call.rules, session, &key, CKR_KEY_HANDLE_INVALID));
  THEN(hsm->C_DigestKey(session, key));
  return leave(&call, rv);
}

CK_RV fault_C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *template, CK_ULONG count,
                          CK_OBJECT_HANDLE *key) {
  ENTER(C_GenerateKey);
  THEN(real_session(&session));
  THEN(usable(call.rules, mechanism));
  THEN(hsm->C_GenerateKey(session, mechanism, template, count, key));
  return leave(&call, handed_out(rv, key));
}

CK_RV fault_C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public_template,
                              CK_ULONG public_count, CK_ATTRIBUTE *private_template, CK_ULONG private_count,
                              CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key) {
  ENTER(C_GenerateKeyPair);
  THEN(real_session(&session));
  THEN(usable(call.rules, mechanism));
  THEN(hsm->C_GenerateKeyPair(session, mechanism, public_template, public_count, private_template, private_count, public_key,
                              private_key));
  rv = handed_out(rv, public_key);
  return leave(&call, handed_out(rv, private_key));
}

CK_RV fault_C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key,
                      CK_BYTE *wrapped, CK_ULONG *length) {
  ENTER(C_WrapKey);
  THEN(real_session(&session));
  THEN(usable(call.rules, mechanism));
  THEN(real_object(call.rules, session, &wrapping, CKR_WRAPPING_KEY_HANDLE_INVALID));
  THEN(real_object(call.rules, session, &key, CKR_KEY_HANDLE_INVALID));
  THEN(hsm->C_WrapKey(session, mechanism, wrapping, key, wrapped, length));
  return leave(&call, rv);
}

CK_RV fault_C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE unwrapping, CK_BYTE *wrapped,
                        CK_ULONG length, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *key) {
  ENTER(C_UnwrapKey);
  THEN(real_session(&session));
  THEN(usable(call.rules, mechanism));
  THEN(real_object(call.rules, session, &unwrapping, CKR_UNWRAPPING_KEY_HANDLE_INVALID));
  THEN(hsm->C_UnwrapKey(session, mechanism, unwrapping, wrapped, length, template, count, key));
  return leave(&call, handed_out(rv, key));
}

CK_RV fault_C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base, CK_ATTRIBUTE *template,
                        CK_ULONG count, CK_OBJECT_HANDLE *key) {
  ENTER(C_DeriveKey);
  THEN(real_session(&session));
  THEN(usable(call.rules, mechanism));
  THEN(real_object(call.rules, session, &base, CKR_KEY_HANDLE_INVALID));
  THEN(hsm->C_DeriveKey(session, mechanism, base, template, count, key));
  return leave(&call, handed_out(rv, key));
}
