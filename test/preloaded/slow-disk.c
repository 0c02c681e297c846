/*
 * A disk on which SQLite waits: fsync and fdatasync of a database or its write-ahead log take as many milliseconds as the file that
 * PRELOADED names says; while they wait, a file of that name with .waiting at its end exists. Preloaded; everything else goes to the C library.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void wait_for_disk(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return;
    path[length] = '\0';
    if (strstr(path, ".db") == NULL)
        return;
    const char *control = getenv("PRELOADED");
    FILE *file = control == NULL ? NULL : fopen(control, "r");
    if (file == NULL)
        return;
    long milliseconds = 0;
    if (fscanf(file, "%ld", &milliseconds) != 1)
        milliseconds = 0;
    fclose(file);
    if (milliseconds == 0)
        return;
    snprintf(path, sizeof path, "%s.waiting", control);
    file = fopen(path, "w");
    if (file != NULL)
        fclose(file);
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, NULL);
    unlink(path);
}

static int sync_with(const char *name, int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    wait_for_disk(fd);
    return next(fd);
}

int fsync(int fd)
{
    return sync_with("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_with("fdatasync", fd);
}
