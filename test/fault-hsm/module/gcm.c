/* AES-GCM with an IV that the HSM draws, in three vendors' forms, built on the real module's AES-GCM with an IV given to it:
 *   WRITEBACK12  AWS CloudHSM, CKM_AES_GCM: a zeroed buffer of 12 bytes at pIv, filled by C_Encrypt
 *   PREPEND12    AWS CloudHSM, CKM_CLOUDHSM_AES_GCM: pIv NULL; 12 bytes before the ciphertext, read there by C_Decrypt
 *   APPEND16     Thales Luna in FIPS mode, CKM_AES_GCM: pIv NULL; 16 bytes after the tag, given to C_DecryptInit at pIv
 * While one of them is in force, no IV of the caller's is accepted for encryption. */
#include "hsm.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* One operation under way. The real module gets copies that live as long as it. */
struct operation {
  struct operation *next;
  CK_SESSION_HANDLE session; /* the real one */
  enum gcm_form form;
  bool decrypts;
  bool started; /* a decryption: the real module has been initialised with the IV */
  CK_OBJECT_HANDLE key;
  CK_BYTE *write_back;
  CK_BYTE iv[16];
  CK_GCM_PARAMS parameters;
  CK_BYTE aad[];
};

enum { BUCKETS = 256, TAG_LENGTH = 16 };

static struct operation *buckets[BUCKETS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void remember(struct operation *operation) {
  struct operation **bucket = &buckets[operation->session % BUCKETS];
  pthread_mutex_lock(&mutex);
  operation->next = *bucket;
  *bucket = operation;
  pthread_mutex_unlock(&mutex);
}

/* Only the caller of a session ends its operation, so what is found stays. */
static struct operation *operation_of(CK_SESSION_HANDLE session) {
  pthread_mutex_lock(&mutex);
  struct operation *operation = buckets[session % BUCKETS];
  while (operation && operation->session != session) operation = operation->next;
  pthread_mutex_unlock(&mutex);
  return operation;
}

static void forget_where(struct operation **place, bool (*match)(CK_SESSION_HANDLE, CK_SESSION_HANDLE), CK_SESSION_HANDLE session) {
  pthread_mutex_lock(&mutex);
  while (*place) {
    struct operation *operation = *place;
    if (!match(operation->session, session)) {
      place = &operation->next;
      continue;
    }
    *place = operation->next;
    free(operation);
  }
  pthread_mutex_unlock(&mutex);
}

static bool is(CK_SESSION_HANDLE session, CK_SESSION_HANDLE other) { return session == other; }

static bool closed(CK_SESSION_HANDLE session, CK_SESSION_HANDLE unused) {
  CK_SESSION_INFO info;
  (void)unused;
  return hsm->C_GetSessionInfo(session, &info) != CKR_OK;
}

void forget_operation(CK_SESSION_HANDLE session) { forget_where(&buckets[session % BUCKETS], is, session); }

void forget_closed_sessions(void) {
  for (int i = 0; i < BUCKETS; i++) forget_where(&buckets[i], closed, 0);
}

static CK_ULONG iv_length(enum gcm_form form) { return form == APPEND16 ? 16 : 12; }

/* How much longer than the real module's ciphertext, and how much of that stands before it. */
static CK_ULONG growth(enum gcm_form form) { return form == WRITEBACK12 ? 0 : iv_length(form); }
static CK_ULONG lead(enum gcm_form form) { return form == PREPEND12 ? 12 : 0; }

static bool makes_iv(const struct rules *rules, const CK_MECHANISM *mechanism) {
  if (!mechanism || !rules->forms) return false;
  if (mechanism->mechanism == CKM_CLOUDHSM_AES_GCM) return rules->forms & PREPEND12;
  return mechanism->mechanism == CKM_AES_GCM;
}

static bool zeroed(const CK_BYTE *bytes, CK_ULONG length) {
  CK_BYTE any = 0;
  for (CK_ULONG i = 0; i < length; i++) any |= bytes[i];
  return any == 0;
}

/* The form that the parameters ask for; false where none in force fits. */
static bool form_of(const struct rules *rules, const CK_MECHANISM *mechanism, enum gcm_form *form) {
  const CK_GCM_PARAMS *parameters = mechanism->pParameter;
  if (!parameters || mechanism->ulParameterLen != sizeof *parameters) return false;
  bool iv_left_out = !parameters->pIv && parameters->ulIvLen == 0;
  bool iv_zeroed = parameters->pIv && parameters->ulIvLen == 12 && zeroed(parameters->pIv, 12);
  if (mechanism->mechanism == CKM_CLOUDHSM_AES_GCM)
    *form = PREPEND12;
  else
    *form = iv_left_out ? APPEND16 : WRITEBACK12;
  return rules->forms & *form && (*form == WRITEBACK12 ? iv_zeroed : iv_left_out);
}

static CK_RV make_operation(const struct rules *rules, CK_SESSION_HANDLE session, const CK_MECHANISM *mechanism,
                            struct operation **made) {
  enum gcm_form form;
  if (!form_of(rules, mechanism, &form)) return CKR_MECHANISM_PARAM_INVALID;
  if (operation_of(session)) return CKR_OPERATION_ACTIVE;
  const CK_GCM_PARAMS *given = mechanism->pParameter;
  if (given->ulAADLen > 0 && !given->pAAD) return CKR_MECHANISM_PARAM_INVALID;
  struct operation *operation = calloc(1, sizeof *operation + given->ulAADLen);
  if (!operation) return CKR_HOST_MEMORY;
  operation->session = session;
  operation->form = form;
  operation->write_back = given->pIv;
  operation->parameters = *given;
  operation->parameters.pIv = operation->iv;
  operation->parameters.ulIvLen = iv_length(form);
  operation->parameters.ulIvBits = 8 * iv_length(form);
  if (given->ulAADLen > 0) {
    memcpy(operation->aad, given->pAAD, given->ulAADLen);
    operation->parameters.pAAD = operation->aad;
  }
  *made = operation;
  return CKR_OK;
}

/* Remembers the operation or frees it. */
static CK_RV settle(CK_RV rv, struct operation *operation) {
  if (rv == CKR_OK)
    remember(operation);
  else
    free(operation);
  return rv;
}

static CK_MECHANISM real_mechanism(struct operation *operation) {
  return (CK_MECHANISM){CKM_AES_GCM, &operation->parameters, sizeof operation->parameters};
}

static CK_RV encrypt_init(const struct rules *rules, CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
  if (!makes_iv(rules, mechanism)) return hsm->C_EncryptInit(session, mechanism, key);
  struct operation *operation = NULL;
  CK_RV rv = make_operation(rules, session, mechanism, &operation);
  if (rv != CKR_OK) return rv;
  CK_MECHANISM real = real_mechanism(operation);
  THEN(hsm->C_GenerateRandom(session, operation->iv, operation->parameters.ulIvLen));
  THEN(hsm->C_EncryptInit(session, &real, key));
  return settle(rv, operation);
}

CK_RV fault_C_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
  ENTER(C_EncryptInit);
  THEN(real_session(&session));
  THEN(usable(call.rules, mechanism));
  THEN(real_object(call.rules, session, &key, CKR_KEY_HANDLE_INVALID));
  THEN(encrypt_init(call.rules, session, mechanism, key));
  return leave(&call, rv);
}

static void hand_out_iv(const struct operation *operation, CK_BYTE *output, CK_ULONG output_length) {
  CK_ULONG length = operation->parameters.ulIvLen;
  if (operation->form == WRITEBACK12) memcpy(operation->write_back, operation->iv, length);
  if (operation->form == PREPEND12) memcpy(output, operation->iv, length);
  if (operation->form == APPEND16) memcpy(output + output_length - length, operation->iv, length);
}

static CK_RV encrypt(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length) {
  struct operation *operation = operation_of(session);
  if (!operation || operation->decrypts || !output_length) return hsm->C_Encrypt(session, data, length, output, output_length);
  CK_ULONG extra = growth(operation->form);
  CK_ULONG room = output && *output_length > extra ? *output_length - extra : 0;
  CK_RV rv = hsm->C_Encrypt(session, data, length, output ? output + lead(operation->form) : NULL, &room);
  if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL) *output_length = room + extra;
  if (rv == CKR_OK && output) hand_out_iv(operation, output, *output_length);
  bool goes_on = rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && !output);
  if (!goes_on) forget_operation(session);
  return rv;
}

CK_RV fault_C_Encrypt(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length) {
  ENTER(C_Encrypt);
  THEN(real_session(&session));
  THEN(encrypt(session, data, length, output, output_length));
  return leave(&call, rv);
}

/* The IV comes with the ciphertext, so the real module cannot be initialised yet; a missing key is still told now. */
static CK_RV decrypt_init(const struct rules *rules, CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
  bool waits = makes_iv(rules, mechanism) && mechanism->mechanism == CKM_CLOUDHSM_AES_GCM;
  if (!waits) return hsm->C_DecryptInit(session, mechanism, key);
  CK_ULONG type;
  CK_ATTRIBUTE attribute = {CKA_KEY_TYPE, &type, sizeof type};
  if (hsm->C_GetAttributeValue(session, key, &attribute, 1) != CKR_OK) return CKR_KEY_HANDLE_INVALID;
  struct operation *operation = NULL;
  CK_RV rv = make_operation(rules, session, mechanism, &operation);
  if (rv != CKR_OK) return rv;
  operation->decrypts = true;
  operation->key = key;
  return settle(CKR_OK, operation);
}

CK_RV fault_C_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key) {
  ENTER(C_DecryptInit);
  THEN(real_session(&session));
  THEN(usable(call.rules, mechanism));
  THEN(real_object(call.rules, session, &key, CKR_KEY_HANDLE_INVALID));
  THEN(decrypt_init(call.rules, session, mechanism, key));
  return leave(&call, rv);
}

static CK_RV start_decryption(struct operation *operation, const CK_BYTE *data, CK_ULONG length) {
  CK_ULONG before = operation->parameters.ulIvLen;
  if (!data || length < before + TAG_LENGTH) return CKR_ENCRYPTED_DATA_LEN_RANGE;
  if (operation->started) return CKR_OK;
  memcpy(operation->iv, data, before);
  CK_MECHANISM real = real_mechanism(operation);
  CK_RV rv = hsm->C_DecryptInit(operation->session, &real, operation->key);
  operation->started = rv == CKR_OK;
  return rv;
}

static CK_RV decrypt(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length) {
  struct operation *operation = operation_of(session);
  if (!operation || !operation->decrypts) return hsm->C_Decrypt(session, data, length, output, output_length);
  CK_ULONG before = operation->parameters.ulIvLen;
  CK_RV rv = start_decryption(operation, data, length);
  THEN(hsm->C_Decrypt(session, data + before, length - before, output, output_length));
  bool goes_on = rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && !output);
  if (!goes_on) forget_operation(session);
  return rv;
}

CK_RV fault_C_Decrypt(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length) {
  ENTER(C_Decrypt);
  THEN(real_session(&session));
  THEN(decrypt(session, data, length, output, output_length));
  return leave(&call, rv);
}

/* The vendors encrypt and decrypt in one part only. */
static CK_RV one_part_only(CK_SESSION_HANDLE session) { return operation_of(session) ? CKR_FUNCTION_NOT_SUPPORTED : CKR_OK; }

#define FORWARD_PARTS(name, parameters, arguments) \
  CK_RV fault_##name parameters { \
    ENTER(name); \
    THEN(real_session(&session)); \
    THEN(one_part_only(session)); \
    THEN(hsm->name arguments); \
    return leave(&call, rv); \
  }

FORWARD_PARTS(C_EncryptUpdate,
              (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length),
              (session, data, length, output, output_length))
FORWARD_PARTS(C_EncryptFinal, (CK_SESSION_HANDLE session, CK_BYTE *output, CK_ULONG *output_length),
              (session, output, output_length))
FORWARD_PARTS(C_DecryptUpdate,
              (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG length, CK_BYTE *output, CK_ULONG *output_length),
              (session, data, length, output, output_length))
FORWARD_PARTS(C_DecryptFinal, (CK_SESSION_HANDLE session, CK_BYTE *output, CK_ULONG *output_length),
              (session, output, output_length))
