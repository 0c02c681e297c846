/* The module as its caller sees it: finds the real module and writes the functions that only pass a call on. */
#include "hsm.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_MODULE "/usr/lib/softhsm/libsofthsm2.so"

CK_FUNCTION_LIST *hsm;

#define DEFINE_OWN(name, parameters, arguments)

#define DEFINE_PLAIN(name, parameters, arguments) \
  CK_RV fault_##name parameters { \
    ENTER(name); \
    THEN(hsm->name arguments); \
    return leave(&call, rv); \
  }

#define DEFINE_SESSION(name, parameters, arguments) \
  CK_RV fault_##name parameters { \
    ENTER(name); \
    THEN(real_session(&session)); \
    THEN(hsm->name arguments); \
    return leave(&call, rv); \
  }

#define DEFINE_OBJECT(name, parameters, arguments) \
  CK_RV fault_##name parameters { \
    ENTER(name); \
    THEN(real_session(&session)); \
    THEN(real_object(call.rules, session, &object, CKR_OBJECT_HANDLE_INVALID)); \
    THEN(hsm->name arguments); \
    return leave(&call, rv); \
  }

#define DEFINE_KEY(name, parameters, arguments) \
  CK_RV fault_##name parameters { \
    ENTER(name); \
    THEN(real_session(&session)); \
    THEN(usable(call.rules, mechanism)); \
    THEN(real_object(call.rules, session, &key, CKR_KEY_HANDLE_INVALID)); \
    THEN(hsm->name arguments); \
    return leave(&call, rv); \
  }

#define DEFINE(kind, name, parameters, arguments) DEFINE_##kind(name, parameters, arguments)
CK_FUNCTIONS(DEFINE)

static CK_FUNCTION_LIST ours = {
    .version = {2, 40},
#define POINT(kind, name, parameters, arguments) .name = fault_##name,
    CK_FUNCTIONS(POINT)
#undef POINT
};

static void load_hsm(void) {
  const char *path = getenv("FAULT_HSM_MODULE");
  if (!path || !*path) path = DEFAULT_MODULE;
  CK_RV (*get_list)(CK_FUNCTION_LIST **) = NULL;
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library) *(void **)&get_list = dlsym(library, "C_GetFunctionList");
  if (!get_list || get_list(&hsm) != CKR_OK) {
    const char *reason = dlerror();
    fprintf(stderr, "fault-hsm: cannot use %s: %s\n", path, reason ? reason : "C_GetFunctionList failed");
    hsm = NULL;
  }
}

CK_RV fault_C_GetFunctionList(CK_FUNCTION_LIST **list) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  if (!list) return CKR_ARGUMENTS_BAD;
  pthread_once(&once, load_hsm);
  if (!hsm) return CKR_GENERAL_ERROR;
  *list = &ours;
  return CKR_OK;
}

/* The only symbol of the library that others see. */
__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list) {
  return fault_C_GetFunctionList(list);
}
