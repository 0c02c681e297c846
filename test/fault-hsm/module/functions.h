/* Every function of CK_FUNCTION_LIST (PKCS#11 v2.40) in its order: F(kind, name, parameters, arguments).
 * The kind says what lies between our caller and the real module; forward.c writes all but OWN:
 *   PLAIN    nothing
 *   SESSION  a session handle
 *   OBJECT   a session handle and an object handle
 *   KEY      a session handle, a mechanism and a key handle
 *   OWN      more than that: written out in the file of its topic */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#define CK_FUNCTIONS(F) \
  F(OWN, C_Initialize, (void *arguments), (arguments)) \
  F(OWN, C_Finalize, (void *reserved), (reserved)) \
  F(PLAIN, C_GetInfo, (CK_INFO * info), (info)) \
  F(OWN, C_GetFunctionList, (CK_FUNCTION_LIST * *list), (list)) \
  F(OWN, C_GetSlotList, (CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count), (present, slots, count)) \
  F(PLAIN, C_GetSlotInfo, (CK_SLOT_ID slot, CK_SLOT_INFO *info), (slot, info)) \
  F(OWN, C_GetTokenInfo, (CK_SLOT_ID slot, CK_TOKEN_INFO *info), (slot, info)) \
  F(OWN, C_GetMechanismList, (CK_SLOT_ID slot, CK_MECHANISM_TYPE *mechanisms, CK_ULONG *count), (slot, mechanisms, count)) \
  F(OWN, C_GetMechanismInfo, (CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info), (slot, type, info)) \
  F(PLAIN, C_InitToken, (CK_SLOT_ID slot, CK_BYTE *pin, CK_ULONG length, CK_BYTE *label), (slot, pin, length, label)) \
  F(SESSION, C_InitPIN, (CK_SESSION_HANDLE session, CK_BYTE *pin, CK_ULONG length), (session, pin, length)) \
  F(SESSION, C_SetPIN, (CK_SESSION_HANDLE session, CK_BYTE *old, CK_ULONG old_length, CK_BYTE *new, CK_ULONG new_length), \
    (session, old, old_length, new, new_length)) \
  F(OWN, C_OpenSession, (CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *session), \
    (slot, flags, application, notify, session)) \
  F(OWN, C_CloseSession, (CK_SESSION_HANDLE session), (session)) \
  F(OWN, C_CloseAllSessions, (CK_SLOT_ID slot), (slot)) \
  F(SESSION, C_GetSessionInfo, (CK_SESSION_HANDLE session, CK_SESSION_INFO *info), (session, info)) \
  F(SESSION, C_GetOperationState, (CK_SESSION_HANDLE session, CK_BYTE *state, CK_ULONG *length), (session, state, length)) \
  F(OWN, C_SetOperationState, \
    (CK_SESSION_HANDLE session, CK_BYTE *state, CK_ULONG length, CK_OBJECT_HANDLE encryption, CK_OBJECT_HANDLE authentication), \
    (session, state, length, encryption, authentication)) \
  F(OWN, C_Login, (CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG length), (session, user, pin, length)) \
  F(SESSION, C_Logout, (CK_SESSION_HANDLE session), (session)) \
  F(OWN, C_CreateObject, (CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *object), \
    (session, template, count, object)) \
  F(OWN, C_CopyObject, \
    (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *copy), \
    (session, object, template, count, copy)) \
  F(OBJECT, C_DestroyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object), (session, object)) \
  F(OBJECT, C_GetObjectSize, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG *size), (session, object, size)) \
  F(OWN, C_GetAttributeValue, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count), \
    (session, object, template, count)) \
  F(OBJECT, C_SetAttributeValue, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count), \
    (session, object, template, count)) \
  F(OWN, C_FindObjectsInit, (CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count), (session, template, count)) \
  F(OWN, C_FindObjects, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *count), \
    (session, objects, max, count)) \
  F(SESSION, C_FindObjectsFinal, (CK_SESSION_HANDLE session), (session)) \
  F(OWN, C_EncryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key), (session, mechanism, key)) \
  F(OWN, C_Encrypt, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length), \
    (session, data, length, output, output_length)) \
  F(OWN, C_EncryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length), \
    (session, data, length, output, output_length)) \
  F(OWN, C_EncryptFinal, (CK_SESSION_HANDLE session, CK_BYTE *output, CK_ULONG *output_length), (session, output, output_length)) \
  F(OWN, C_DecryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key), (session, mechanism, key)) \
  F(OWN, C_Decrypt, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length), \
    (session, data, length, output, output_length)) \
  F(OWN, C_DecryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length), \
    (session, data, length, output, output_length)) \
  F(OWN, C_DecryptFinal, (CK_SESSION_HANDLE session, CK_BYTE *output, CK_ULONG *output_length), (session, output, output_length)) \
  F(OWN, C_DigestInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism), (session, mechanism)) \
  F(SESSION, C_Digest, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *digest, CK_ULONG *digest_length), \
    (session, data, length, digest, digest_length)) \
  F(SESSION, C_DigestUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length), (session, data, length)) \
  F(OWN, C_DigestKey, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key), (session, key)) \
  F(SESSION, C_DigestFinal, (CK_SESSION_HANDLE session, CK_BYTE *digest, CK_ULONG *digest_length), (session, digest, digest_length)) \
  F(KEY, C_SignInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key), (session, mechanism, key)) \
  F(SESSION, C_Sign, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG *signature_length), \
    (session, data, length, signature, signature_length)) \
  F(SESSION, C_SignUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length), (session, data, length)) \
  F(SESSION, C_SignFinal, (CK_SESSION_HANDLE session, CK_BYTE *signature, CK_ULONG *signature_length), \
    (session, signature, signature_length)) \
  F(KEY, C_SignRecoverInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key), (session, mechanism, key)) \
  F(SESSION, C_SignRecover, \
    (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG *signature_length), \
    (session, data, length, signature, signature_length)) \
  F(KEY, C_VerifyInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key), (session, mechanism, key)) \
  F(SESSION, C_Verify, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *signature, CK_ULONG signature_length), \
    (session, data, length, signature, signature_length)) \
  F(SESSION, C_VerifyUpdate, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length), (session, data, length)) \
  F(SESSION, C_VerifyFinal, (CK_SESSION_HANDLE session, CK_BYTE *signature, CK_ULONG signature_length), \
    (session, signature, signature_length)) \
  F(KEY, C_VerifyRecoverInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key), (session, mechanism, key)) \
  F(SESSION, C_VerifyRecover, \
    (CK_SESSION_HANDLE session, CK_BYTE *signature, CK_ULONG signature_length, CK_BYTE *data, CK_ULONG *length), \
    (session, signature, signature_length, data, length)) \
  F(SESSION, C_DigestEncryptUpdate, \
    (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length), \
    (session, data, length, output, output_length)) \
  F(SESSION, C_DecryptDigestUpdate, \
    (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length), \
    (session, data, length, output, output_length)) \
  F(SESSION, C_SignEncryptUpdate, \
    (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length), \
    (session, data, length, output, output_length)) \
  F(SESSION, C_DecryptVerifyUpdate, \
    (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length), \
    (session, data, length, output, output_length)) \
  F(OWN, C_GenerateKey, \
    (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *key), \
    (session, mechanism, template, count, key)) \
  F(OWN, C_GenerateKeyPair, \
    (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public_template, CK_ULONG public_count, \
     CK_ATTRIBUTE *private_template, CK_ULONG private_count, CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key), \
    (session, mechanism, public_template, public_count, private_template, private_count, public_key, private_key)) \
  F(OWN, C_WrapKey, \
    (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE wrapping, CK_OBJECT_HANDLE key, CK_BYTE *wrapped, \
     CK_ULONG *length), \
    (session, mechanism, wrapping, key, wrapped, length)) \
  F(OWN, C_UnwrapKey, \
    (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE unwrapping, CK_BYTE *wrapped, CK_ULONG length, \
     CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *key), \
    (session, mechanism, unwrapping, wrapped, length, template, count, key)) \
  F(OWN, C_DeriveKey, \
    (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base, CK_ATTRIBUTE *template, CK_ULONG count, \
     CK_OBJECT_HANDLE *key), \
    (session, mechanism, base, template, count, key)) \
  F(SESSION, C_SeedRandom, (CK_SESSION_HANDLE session, CK_BYTE *seed, CK_ULONG length), (session, seed, length)) \
  F(SESSION, C_GenerateRandom, (CK_SESSION_HANDLE session, CK_BYTE *random, CK_ULONG length), (session, random, length)) \
  F(SESSION, C_GetFunctionStatus, (CK_SESSION_HANDLE session), (session)) \
  F(SESSION, C_CancelFunction, (CK_SESSION_HANDLE session), (session)) \
  F(PLAIN, C_WaitForSlotEvent, (CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved), (flags, slot, reserved))

/* FUNCTION_C_Initialize and so on, to name a function in a table. */
enum function {
#define NUMBER(kind, name, parameters, arguments) FUNCTION_##name,
  CK_FUNCTIONS(NUMBER)
#undef NUMBER
  FUNCTION_COUNT
};

#endif
