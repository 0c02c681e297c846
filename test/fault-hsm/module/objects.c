/* Objects that vanish, trade places or seem exposed, and the functions that take or give object handles. Nothing is really
 * changed: an object is hidden from searches and refused by handle, a CKA_ID is replaced on its way in and out. */
#include "hsm.h"
#include <stdlib.h>
#include <string.h>

static bool equal(const struct id *id, const void *bytes, CK_ULONG length) {
  return id->length == length && memcmp(id->bytes, bytes, length) == 0;
}

/* Replaces a CKA_ID that a rule swaps; its own inverse. */
static void swap_id(const struct rules *rules, void *bytes, CK_ULONG length) {
  for (unsigned i = 0; i < rules->count; i++) {
    const struct rule *rule = &rules->list[i];
    if (rule->verb != SWAP) continue;
    bool first = equal(&rule->ids[0], bytes, length);
    if (!first && !equal(&rule->ids[1], bytes, length)) continue;
    memcpy(bytes, rule->ids[first ? 1 : 0].bytes, length);
    return;
  }
}

/* The CKA_ID our caller knows the object by; empty where it has none. */
static struct id id_of(const struct rules *rules, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  struct id id = {0};
  CK_ATTRIBUTE attribute = {CKA_ID, id.bytes, MAX_ID};
  if (hsm->C_GetAttributeValue(session, object, &attribute, 1) == CKR_OK) id.length = attribute.ulValueLen;
  swap_id(rules, id.bytes, id.length);
  return id;
}

static bool names_object(const struct rules *rules, enum verb verb, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  if (!has(rules, verb)) return false;
  struct id id = id_of(rules, session, object);
  for (unsigned i = 0; i < rules->count; i++)
    if (rules->list[i].verb == verb && equal(&rules->list[i].ids[0], id.bytes, id.length)) return true;
  return false;
}

static bool kept_on_the_hsm(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  CK_BBOOL token = CK_FALSE;
  CK_ATTRIBUTE attribute = {CKA_TOKEN, &token, sizeof token};
  return hsm->C_GetAttributeValue(session, object, &attribute, 1) == CKR_OK && token;
}

bool object_hidden(const struct rules *rules, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object) {
  if (has(rules, WIPE) && kept_on_the_hsm(session, object)) return true;
  return names_object(rules, HIDE, session, object);
}

static CK_RV find_init(const struct rules *rules, CK_SESSION_HANDLE session, const CK_ATTRIBUTE *template, CK_ULONG count) {
  CK_ATTRIBUTE *copy = calloc(count + 1, sizeof *copy);
  struct id id;
  if (!copy) return CKR_HOST_MEMORY;
  for (CK_ULONG i = 0; i < count; i++) {
    copy[i] = template[i];
    if (copy[i].type != CKA_ID || !copy[i].pValue || copy[i].ulValueLen > MAX_ID) continue;
    memcpy(id.bytes, copy[i].pValue, copy[i].ulValueLen);
    copy[i].pValue = id.bytes;
    swap_id(rules, id.bytes, copy[i].ulValueLen);
  }
  CK_RV rv = hsm->C_FindObjectsInit(session, copy, count);
  free(copy);
  return rv;
}

CK_RV fault_C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count) {
  ENTER(C_FindObjectsInit);
  THEN(real_session(&session));
  bool swaps = has(call.rules, SWAP) && template;
  THEN(swaps ? find_init(call.rules, session, template, count) : hsm->C_FindObjectsInit(session, template, count));
  return leave(&call, rv);
}

/* An answer of no objects would end the search, so it goes on while it finds only hidden ones. */
static CK_RV find(const struct rules *rules, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *count) {
  CK_ULONG found, shown = 0;
  do {
    CK_RV rv = hsm->C_FindObjects(session, objects, max, &found);
    if (rv != CKR_OK) return rv;
    for (CK_ULONG i = 0; i < found; i++)
      if (!object_hidden(rules, session, objects[i])) objects[shown++] = our_object(objects[i]);
  } while (found > 0 && shown == 0);
  *count = shown;
  return CKR_OK;
}

CK_RV fault_C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG max, CK_ULONG *count) {
  ENTER(C_FindObjects);
  THEN(real_session(&session));
  THEN(objects && count ? find(call.rules, session, objects, max, count) : CKR_ARGUMENTS_BAD);
  return leave(&call, rv);
}

static void lie(CK_ATTRIBUTE *attribute, bool exposed, const struct rules *rules) {
  if (!attribute->pValue || attribute->ulValueLen == (CK_ULONG)-1) return;
  if (attribute->type == CKA_ID) swap_id(rules, attribute->pValue, attribute->ulValueLen);
  if (!exposed || attribute->ulValueLen != sizeof(CK_BBOOL)) return;
  CK_BBOOL *value = attribute->pValue;
  if (attribute->type == CKA_EXTRACTABLE) *value = CK_TRUE;
  if (attribute->type == CKA_SENSITIVE) *value = CK_FALSE;
  if (attribute->type == CKA_NEVER_EXTRACTABLE || attribute->type == CKA_ALWAYS_SENSITIVE) *value = CK_FALSE;
}

CK_RV fault_C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count) {
  ENTER(C_GetAttributeValue);
  THEN(real_session(&session));
  THEN(real_object(call.rules, session, &object, CKR_OBJECT_HANDLE_INVALID));
  THEN(hsm->C_GetAttributeValue(session, object, template, count));
  if (rv == CKR_OK) {
    bool exposed = names_object(call.rules, EXPOSE, session, object);
    for (CK_ULONG i = 0; i < count; i++) lie(&template[i], exposed, call.rules);
  }
  return leave(&call, rv);
}

CK_RV fault_C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *object) {
  ENTER(C_CreateObject);
  THEN(real_session(&session));
  THEN(hsm->C_CreateObject(session, template, count, object));
  return leave(&call, handed_out(rv, object));
}

CK_RV fault_C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG count,
                         CK_OBJECT_HANDLE *copy) {
  ENTER(C_CopyObject);
  THEN(real_session(&session));
  THEN(real_object(call.rules, session, &object, CKR_OBJECT_HANDLE_INVALID));
  THEN(hsm->C_CopyObject(session, object, template, count, copy));
  return leave(&call, handed_out(rv, copy));
}
