/* Follows the control file: reads it again when it changed, and maps the counters that all its followers share. */
#include "hsm.h"
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_TEXT = 1 << 16, COUNTERS_SIZE = MAX_RULES * sizeof(struct counters) };

static struct rules no_rules = {.references = 1};
static struct rules *rules_in_force = &no_rules;
/* Read by every call, written by the one that finds another version of the file. */
static pthread_rwlock_t in_force = PTHREAD_RWLOCK_INITIALIZER;

static const char *control_path(void) {
  const char *path = getenv("FAULT_HSM_CONTROL");
  return path && *path ? path : NULL;
}

static struct version version_of(const struct stat *status) {
  return (struct version){status->st_ino, status->st_size, status->st_mtim.tv_sec * 1000000000L + status->st_mtim.tv_nsec};
}

static bool same(struct version a, struct version b) {
  return a.inode == b.inode && a.size == b.size && a.modified == b.modified;
}

/* Each version of the control file has a file of counters, named after it: processes that follow the same version meet there,
 * and nobody has to set anything back. */
static void counters_path(char *path, size_t size, const char *control, struct version version) {
  snprintf(path, size, "%s.%lu-%ld.counters", control, (unsigned long)version.inode, version.modified);
}

static struct counters *map_counters(const char *control, struct version version) {
  char path[4096];
  counters_path(path, sizeof path, control, version);
  int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  bool shared = file >= 0 && ftruncate(file, COUNTERS_SIZE) == 0;
  if (!shared) fprintf(stderr, "fault-hsm: cannot write %s: this process counts for itself\n", path);
  int flags = shared ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  void *counters = mmap(NULL, COUNTERS_SIZE, PROT_READ | PROT_WRITE, flags, shared ? file : -1, 0);
  if (file >= 0) close(file);
  return counters == MAP_FAILED ? NULL : counters;
}

/* Who still follows an older version keeps its mapping. Never a newer one: we may be the last to notice that it is there. */
static void remove_older_counters(const char *control, struct version version) {
  char pattern[4096];
  glob_t files;
  snprintf(pattern, sizeof pattern, "%s.*-*.counters", control);
  if (glob(pattern, 0, NULL, &files) != 0) return;
  for (size_t i = 0; i < files.gl_pathc; i++) {
    int64_t modified = strtol(strrchr(files.gl_pathv[i], '-') + 1, NULL, 10);
    if (modified < version.modified) unlink(files.gl_pathv[i]);
  }
  globfree(&files);
}

static ssize_t read_all(int file, char *text, size_t size) {
  size_t length = 0;
  ssize_t n = 0;
  while (length < size && (n = read(file, text + length, size - length)) > 0) length += (size_t)n;
  return n < 0 ? -1 : (ssize_t)length;
}

static struct rules *load_from(int file, const char *path) {
  struct stat status;
  struct rules *rules = calloc(1, sizeof *rules);
  char *text = malloc(MAX_TEXT + 1);
  ssize_t length = rules && text && fstat(file, &status) == 0 ? read_all(file, text, MAX_TEXT) : -1;
  if (length >= 0) {
    rules->references = 1;
    rules->version = version_of(&status);
    rules->counters = map_counters(path, rules->version);
    text[length] = '\0';
  }
  bool loaded = length >= 0 && rules->counters;
  if (loaded) parse_rules(rules, path, text);
  free(text);
  if (loaded) return rules;
  free(rules);
  return NULL;
}

/* No file means no rules; a file that cannot be read leaves the old ones in force. */
static struct rules *load(const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return &no_rules;
  struct rules *rules = load_from(file, path);
  close(file);
  return rules;
}

static void unmap(struct rules *rules) {
  munmap(rules->counters, COUNTERS_SIZE);
  free(rules);
}

void release_rules(struct rules *rules) {
  if (atomic_fetch_sub(&rules->references, 1) == 1 && rules != &no_rules) unmap(rules);
}

static void replace_rules(const char *path) {
  struct rules *now = load(path), *before = rules_in_force;
  if (!now || now == before) return;
  fire_events(before, now);
  rules_in_force = now;
  release_rules(before);
  if (now != &no_rules) remove_older_counters(path, now->version);
}

struct rules *acquire_rules(void) {
  const char *path = control_path();
  struct stat status;
  struct version version = {0};
  if (path && stat(path, &status) == 0) version = version_of(&status);
  pthread_rwlock_rdlock(&in_force);
  if (path && !same(version, rules_in_force->version)) {
    pthread_rwlock_unlock(&in_force);
    pthread_rwlock_wrlock(&in_force);
    if (!same(version, rules_in_force->version)) replace_rules(path);
  }
  struct rules *rules = rules_in_force;
  atomic_fetch_add(&rules->references, 1);
  pthread_rwlock_unlock(&in_force);
  return rules;
}
