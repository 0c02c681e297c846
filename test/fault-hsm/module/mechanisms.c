/* Lies about mechanisms: hidden ones work but are not listed, claimed ones are listed but do not work, removed ones neither. */
#include "hsm.h"
#include <stdlib.h>
#include <string.h>

static bool named(const struct rules *rules, enum verb verb, CK_MECHANISM_TYPE type) {
  if (!has(rules, verb)) return false;
  for (unsigned i = 0; i < rules->count; i++)
    if (rules->list[i].verb == verb && rules->list[i].mechanism == type) return true;
  return false;
}

static bool listed(const struct rules *rules, CK_MECHANISM_TYPE type) {
  return !named(rules, HIDE_MECHANISM, type) && !named(rules, REMOVE_MECHANISM, type);
}

CK_RV usable(const struct rules *rules, const CK_MECHANISM *mechanism) {
  if (!mechanism) return CKR_OK; /* the real module has an answer to that */
  bool taken = named(rules, CLAIM_MECHANISM, mechanism->mechanism) || named(rules, REMOVE_MECHANISM, mechanism->mechanism);
  return taken ? CKR_MECHANISM_INVALID : CKR_OK;
}

/* A list that grows by what is not in it yet. */
struct list {
  CK_MECHANISM_TYPE *types;
  CK_ULONG count;
};

static void add(const struct rules *rules, struct list *list, CK_MECHANISM_TYPE type) {
  if (!listed(rules, type)) return;
  for (CK_ULONG i = 0; i < list->count; i++)
    if (list->types[i] == type) return;
  list->types[list->count++] = type;
}

/* What our caller is to see; the caller frees list->types. */
static CK_RV make_list(const struct rules *rules, CK_SLOT_ID slot, struct list *list) {
  CK_ULONG count = 0;
  CK_RV rv = hsm->C_GetMechanismList(slot, NULL, &count);
  if (rv != CKR_OK) return rv;
  CK_MECHANISM_TYPE *real = calloc(count + 1, sizeof *real);
  list->types = calloc(count + rules->count + 1, sizeof *list->types);
  if (!real || !list->types) rv = CKR_HOST_MEMORY;
  THEN(hsm->C_GetMechanismList(slot, real, &count));
  for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++) add(rules, list, real[i]);
  for (unsigned i = 0; rv == CKR_OK && i < rules->count; i++)
    if (rules->list[i].verb == CLAIM_MECHANISM) add(rules, list, rules->list[i].mechanism);
  if (rv == CKR_OK && rules->forms & PREPEND12) add(rules, list, CKM_CLOUDHSM_AES_GCM);
  free(real);
  return rv;
}

/* The convention of PKCS#11 v2.40 section 5.2: no buffer asks for the length. */
static CK_RV give(const struct list *list, CK_MECHANISM_TYPE *types, CK_ULONG *count) {
  CK_ULONG room = *count;
  *count = list->count;
  if (!types) return CKR_OK;
  if (room < list->count) return CKR_BUFFER_TOO_SMALL;
  memcpy(types, list->types, list->count * sizeof *types);
  return CKR_OK;
}

CK_RV fault_C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *mechanisms, CK_ULONG *count) {
  ENTER(C_GetMechanismList);
  if (rv == CKR_OK && !count) rv = CKR_ARGUMENTS_BAD;
  struct list list = {0};
  THEN(make_list(call.rules, slot, &list));
  THEN(give(&list, mechanisms, count));
  free(list.types);
  return leave(&call, rv);
}

static CK_RV describe(const struct rules *rules, CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info) {
  if (!listed(rules, type)) return CKR_MECHANISM_INVALID;
  if (type == CKM_CLOUDHSM_AES_GCM && rules->forms & PREPEND12) type = CKM_AES_GCM;
  CK_RV rv = hsm->C_GetMechanismInfo(slot, type, info);
  if (rv != CKR_MECHANISM_INVALID || !named(rules, CLAIM_MECHANISM, type)) return rv;
  *info = (CK_MECHANISM_INFO){.flags = CKF_ENCRYPT | CKF_DECRYPT};
  return CKR_OK;
}

CK_RV fault_C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info) {
  ENTER(C_GetMechanismInfo);
  if (rv == CKR_OK && !info) rv = CKR_ARGUMENTS_BAD;
  THEN(describe(call.rules, slot, type, info));
  return leave(&call, rv);
}
